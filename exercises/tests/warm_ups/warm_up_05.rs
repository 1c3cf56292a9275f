// Warm-up for lesson 05: a header and a default.

probe::steps! {}
