//! Tests that more than one program holds: their own, and the one that `cargo xtask gpu pack` archives.

/// Lists test functions, each under its path. One that is in no list is dead code, which the compiler reports.
macro_rules! trials {
    ($($test:path),* $(,)?) => {
        vec![$(
            libtest_mimic::Trial::test(stringify!($test), || {
                $test();
                Ok(())
            })
        ),*]
    };
}
pub(crate) use trials;
