// Exercise 10: a slow client.

probe::steps! {}
