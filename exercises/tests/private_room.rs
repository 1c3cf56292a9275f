// Exercise 8: a private room.

probe::steps! {}
