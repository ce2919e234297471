//! The queue against a plain model of it: random interleavings of every transition, and after each step the
//! whole namespace is compared. `ALUMNIQ_RELAY_MODEL_CASES` sets how many cases are drawn (64).

mod books;
mod change;
mod compare;
mod correct;
mod erase;
mod gate;
mod leading;
mod model;
mod run;
mod settle;
mod step;
mod witness;

use std::cell::Cell;

use harness::redis::Redis;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use self::run::Run;

#[test]
fn the_queue_does_what_its_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(Redis::start());
    let cases = std::env::var("ALUMNIQ_RELAY_MODEL_CASES");
    let cases = cases.map_or(64, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    });
    let (steps, namespaces) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&step::case(), |(destinations, case)| {
        namespaces.set(namespaces.get() + 1);
        let namespace = format!("case-{}", namespaces.get());
        let played = runtime.block_on(async {
            let mut run = Run::start(&redis, &namespace, &destinations).await;
            let outcome = run.play(&case).await;
            run.forget().await;
            steps.set(steps.get() + run.steps);
            outcome
        });
        played.map_err(TestCaseError::fail)
    });
    println!("{} steps in {} cases", steps.get(), namespaces.get());
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{why}"),
        Err(TestError::Fail(why, (destinations, case))) => {
            let case: Vec<String> = case.iter().map(|step| format!("  {step:?}")).collect();
            panic!("{why}\nthe case ({destinations:?}):\n{}", case.join("\n"));
        }
    }
}
