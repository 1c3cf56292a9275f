//! Rules as tests, for the macros of each kind of rule.

/// Tests in a module, one for each rule of `$home`, which is called with `$arguments`.
#[doc(hidden)]
#[macro_export]
macro_rules! rules {
    ($home:ident as $module:ident, $arguments:tt => $($rule:ident),*) => {
        mod $module {
            use super::*;

            $($crate::rules! { @test $home, $arguments, $rule })*
        }
    };
    (@test $home:ident, $arguments:tt, it_works_over_tcp) => {
        #[tokio::test]
        async fn it_works_over_tcp() -> $crate::Check {
            $crate::$home::it_works_over_tcp $arguments.await
        }
    };
    (@test $home:ident, $arguments:tt, $rule:ident) => {
        #[tokio::test(start_paused = true)]
        async fn $rule() -> $crate::Check {
            $crate::$home::$rule $arguments.await
        }
    };
}
