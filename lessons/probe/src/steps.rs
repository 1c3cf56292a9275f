use std::thread;

use tokio::runtime::Builder;

use crate::{Check, Hint};

/// Runs a check with tokio's clock paused.
///
/// Should it start threads for blocking code, they are called as this one is: a panic in
/// one of them then says whose it is.
pub fn on_virtual_time(check: impl Future<Output = Check>) -> Check {
    let thread = thread::current();
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).thread_name(thread.name().unwrap_or("check"));
    match builder.build() {
        Ok(runtime) => runtime.block_on(check),
        Err(error) => Err(Hint::new(format!("The runtime did not start: {error}."))),
    }
}

/// Lists the checks of an exercise, in the order in which to make them pass.
///
/// Each is an `async fn() -> Check`. The list is there for a program that runs them, as
/// `STEPS`; and it makes a test of each, for the test runner of Rust. An editor offers to run
/// these tests, too: beside the names in the list, and by the path `NAME::steps::step_1_…`.
#[macro_export]
macro_rules! steps {
    ($($step:ident),* $(,)?) => {
        #[allow(dead_code)]
        pub const STEPS: &[(&str, fn() -> $crate::Check)] =
            &[$((stringify!($step), || $crate::on_virtual_time($step()))),*];

        #[cfg(test)]
        mod steps {
            $(
                #[test]
                fn $step() -> $crate::Check {
                    $crate::on_virtual_time(super::$step())
                }
            )*
        }
    };
}
