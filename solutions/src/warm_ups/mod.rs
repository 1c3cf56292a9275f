//! Warm-ups: one for each of the lessons 01 to 08, each a small server of its own.

pub mod warm_up_01;
pub mod warm_up_02;
pub mod warm_up_03;
pub mod warm_up_04;
pub mod warm_up_05;
pub mod warm_up_06;
pub mod warm_up_07;
pub mod warm_up_08;

use axum::Router;

/// All of them, side by side: each has paths that begin with its name.
pub fn router() -> Router {
    Router::new()
        .merge(warm_up_01::router())
        .merge(warm_up_02::router())
        .merge(warm_up_03::router())
        .merge(warm_up_04::router())
        .merge(warm_up_05::router())
        .merge(warm_up_06::router())
        .merge(warm_up_07::router())
        .merge(warm_up_08::router())
}
