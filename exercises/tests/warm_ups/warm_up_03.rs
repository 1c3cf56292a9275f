// Warm-up for lesson 03: a greeting with a number.

probe::steps! {}
