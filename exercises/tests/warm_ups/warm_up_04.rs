// Warm-up for lesson 04: a typed second parameter.

probe::steps! {}
