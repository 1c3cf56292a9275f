// Warm-up for lesson 06: a message of your own.

probe::steps! {}
