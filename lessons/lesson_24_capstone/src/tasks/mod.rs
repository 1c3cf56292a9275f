//! Tasks: long work that is started over HTTP, and whose progress comes over a socket.

mod api;
mod progress;
mod task_list;
mod word_count;
mod work;
mod worker;
mod ws;

pub use self::{api::routes, task_list::Tasks};

#[cfg(test)]
pub use self::{
    task_list::{AT_ONCE, IN_ALL, PER_PERSON, REMEMBERED, UserTasks},
    word_count::{WordCount, WordCounter},
    work::{Step, Work},
    worker::start,
};
