use tokio::runtime::Builder;

use crate::{Check, Hint};

/// Runs a check with tokio's clock paused.
pub fn on_virtual_time(check: impl Future<Output = Check>) -> Check {
    match Builder::new_current_thread().enable_all().start_paused(true).build() {
        Ok(runtime) => runtime.block_on(check),
        Err(error) => Err(Hint::new(format!("The runtime did not start: {error}."))),
    }
}

/// Lists the checks of an exercise, in the order in which to make them pass.
///
/// Each is an `async fn() -> Check`. The list is there for a program that runs them, as
/// `STEPS`; and it makes a test of each, for the test runner of Rust.
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
