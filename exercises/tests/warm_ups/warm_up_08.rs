// Warm-up for lesson 08: an origin and a cookie.

probe::steps! {}
