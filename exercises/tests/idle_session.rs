// Exercise 9: an idle session.

probe::steps! {}
