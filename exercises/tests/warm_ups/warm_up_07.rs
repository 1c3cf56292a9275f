// Warm-up for lesson 07: a topic, and ten members.

probe::steps! {}
