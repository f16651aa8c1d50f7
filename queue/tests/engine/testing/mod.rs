//! The helpers that applications test with. Each of them has to fail when it should.

/// What was enqueued.
mod enqueued;
/// Jobs that run in the test's own task.
mod runs;
/// Schedules that come round when the test says so.
mod schedules;
/// Time that passes when the test says so.
mod time;

use std::time::Duration;

use millrace_queue::{Done, Failure, Wake, enqueue};
use serde_json::json;

use crate::harness::{Bench, Db, Log, Step};

const HOUR: Duration = Duration::from_secs(3600);

/// A bench whose steps complete and are written down.
fn calm(log: &Log) -> Bench {
    let log = log.clone();
    Bench::new(move |step, _| {
        log.push(step.n);
        async { Ok(Done::Completed) }
    })
}

/// Steps of every fate, by their number.
fn fates(db: &Db) -> Bench {
    let pool = db.pool.clone();
    Bench::new(move |step, run| {
        let pool = pool.clone();
        async move {
            run.log("begun");
            run.progress(40.0, "half way");
            match step.n {
                1 => Ok(Done::CompletedWith(json!({"answer": 42}))),
                2 => Err("the first try".into()),
                3 => Err(Failure::fail("never").with_code("no_use")),
                4 => Err(Failure::cancel("unwanted")),
                5 => Ok(Done::Snooze(HOUR)),
                6 => panic!("boom"),
                7 => {
                    run.complete(&pool, async |tx| {
                        let next = enqueue(&mut *tx, Step::job(1)).await?;
                        Ok::<Wake, Failure>(next.wake)
                    })
                    .await
                }
                8 => Ok(Done::CompletedWith(json!({"bad": "\0"}))),
                9 => {
                    run.cancelled().cancelled().await;
                    Err("stopped".into())
                }
                _ => Err(Failure::quarantine("it bites")),
            }
        }
    })
}
