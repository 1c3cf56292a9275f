// Warm-up for lesson 01: capitals and counts.

probe::steps! {}
