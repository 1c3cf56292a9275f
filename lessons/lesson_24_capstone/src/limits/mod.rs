//! Limits: how many connections, and how fast.

mod connection_limits;
mod rate_limiter;

pub use self::{
    connection_limits::{ConnectionLimits, ConnectionPermit, OtherPermit},
    rate_limiter::{RateLimited, RateLimiter, RateLimits},
};
