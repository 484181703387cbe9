//! Property tests of a whole system: `proptest`'s runner around an asynchronous test.
//!
//! The seed is fixed, so a run is like the last one. `PROPTEST_CASES=<n>` asks for more cases than the
//! usual few, `PROPTEST_RNG_SEED=<n>` for others. A case that failed is kept in
//! `tests/proptest-regressions/`, to be committed, and is the first of every later run.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner, contextualize_config};

/// Runs a test on values of a strategy, all with what `start` makes; the smallest value on which it
/// panics is shown.
#[expect(clippy::needless_pass_by_value, reason = "a test reads better in its place")]
pub fn check<S: Strategy, C>(
    source_file: &'static str,
    cases: u32,
    values: &S,
    start: impl AsyncFnOnce() -> C,
    test: impl AsyncFn(&C, S::Value),
) {
    let usual = Config {
        cases,
        rng_seed: RngSeed::Fixed(20_260_102),
        source_file: Some(source_file),
        max_shrink_iters: 200,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let context = runtime.block_on(start());
    let outcome = TestRunner::new(contextualize_config(usual)).run(values, |value| {
        runtime.block_on(test(&context, value));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
