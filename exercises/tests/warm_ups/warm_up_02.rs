// Warm-up for lesson 02: how they left.

probe::steps! {}
