//! Tasks: long work that is started over HTTP, and watched over a socket.

mod api;
mod progress;
mod task_list;
mod word_count;
mod work;
mod worker;
mod ws;

pub use self::{api::routes, task_list::Tasks};
