// Exercise 11: a stop that drains.

probe::steps! {}
