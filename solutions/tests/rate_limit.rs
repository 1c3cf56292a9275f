//! Our answer must pass the very checks that the learner sees.

extern crate solutions as exercises;

include!("../../exercises/tests/rate_limit.rs");
