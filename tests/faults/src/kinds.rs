//! The kinds of job that the harness runs, and what each of them does.

use std::{sync::Arc, time::Duration};

use millrace_queue::{
    Backoff, Done, Failure, FailureNote, Kind, LeaseError, Outcome, Registry, Run, Wake,
};
use nix::sys::signal::{Signal, raise};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::{process::Command, time::sleep};

use crate::record::{Answer, Audit, Fact};

/// Short waits, so that a trial is short.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), 1.5, Duration::from_millis(500));

/// Does its effect in the transaction that completes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Effect {
    pub key: String,
    pub ms: u64,
    /// Runs with the same word must not overlap.
    #[serde(default)]
    pub serial: Option<String>,
}

/// Does its effect in a fenced transaction of its own, by an idempotent statement, and then answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plain {
    pub key: String,
    pub ms: u64,
}

/// Takes its time, and stops when it is told to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slow {
    pub ms: u64,
}

/// Says "later" so many times.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snooze {
    pub times: i32,
}

/// Fails so many times, then succeeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flaky {
    pub times: i32,
}

/// Fails for good.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hopeless {}

/// Succeeds with a result that cannot be stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unstorable {}

/// What a failed job leaves behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mourn {
    #[serde(rename = "_failure", default)]
    pub failure: Option<FailureNote>,
}

/// Takes its worker down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Poison {
    pub how: Death,
}

/// Starts a child that is allowed little memory and wants much.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hungry {}

/// Takes every connection of the handlers' pool for a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hog {
    pub ms: u64,
}

/// How a worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    Abort,
    Segv,
    Stack,
    Exit,
}

/// What is enqueued under the name of [`Effect`] and is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Malformed {
    pub key: Vec<i32>,
}

macro_rules! kind {
    ($type:ty, $name:literal, attempts $attempts:literal, crashes $crashes:literal) => {
        impl Kind for $type {
            const KIND: &'static str = $name;
            const QUEUE: &'static str = "default";
            const MAX_ATTEMPTS: u16 = $attempts;
            const MAX_CRASHES: u16 = $crashes;
            const BACKOFF: Backoff = BACKOFF;
            const TIMEOUT: Duration = Duration::from_secs(60);
        }
    };
}

// Honest jobs survive any storm; only poison is counted closely.
kind!(Effect, "effect", attempts 200, crashes 100);
kind!(Malformed, "effect", attempts 200, crashes 100);
kind!(Plain, "plain", attempts 200, crashes 100);
kind!(Slow, "slow", attempts 200, crashes 100);
kind!(Snooze, "snooze", attempts 200, crashes 100);
kind!(Flaky, "flaky", attempts 200, crashes 100);
kind!(Hopeless, "hopeless", attempts 200, crashes 100);
kind!(Unstorable, "unstorable", attempts 200, crashes 100);
kind!(Mourn, "mourn", attempts 200, crashes 100);
kind!(Poison, "poison", attempts 20, crashes 3);
kind!(Hungry, "hungry", attempts 2, crashes 3);
kind!(Hog, "hog", attempts 200, crashes 100);

/// What handlers have besides their job.
#[derive(Clone)]
pub struct Bench {
    pub pool: PgPool,
    pub audit: Arc<Audit>,
}

impl Bench {
    fn started(&self, run: &Run, serial: Option<String>) {
        self.audit.write(Fact::Started {
            job: run.id.0,
            token: run.token(),
            run_no: run.run_no,
            serial,
        });
    }

    fn ended(&self, run: &Run, how: Answer) {
        self.audit.write(Fact::Ended {
            job: run.id.0,
            token: run.token(),
            how,
        });
    }

    /// Works for a while. Whether the work was done, and not stopped.
    async fn work(&self, run: &Run, ms: u64) -> bool {
        let stop = run.cancelled();
        tokio::select! {
            () = sleep(Duration::from_millis(ms)) => true,
            () = stop.cancelled() => false,
        }
    }

    /// Says how it went: the fact first, then the answer.
    fn answer(&self, run: &Run, outcome: Outcome) -> Outcome {
        let how = match &outcome {
            Ok(Done::Snooze(_)) => Answer::Snooze,
            Ok(_) => Answer::Done,
            Err(_) if run.cancel_reason().is_some() => Answer::Stopped,
            Err(_) => Answer::Failed,
        };
        self.ended(run, how);
        outcome
    }
}

fn stopped() -> Outcome {
    Err(Failure::from("stopped"))
}

async fn effect(job: Effect, run: &Run, bench: &Bench) -> Outcome {
    bench.started(run, job.serial);
    if !bench.work(run, job.ms).await {
        return stopped();
    }
    // The work is done; the engine ends the job first and calls the effect after that.
    bench.ended(run, Answer::Done);
    run.complete(
        &bench.pool,
        async |tx: &mut PgConnection| -> Result<Wake, sqlx::Error> {
            sqlx::query("insert into faults.ledger (key, job, token) values ($1, $2, $3)")
                .bind(&job.key)
                .bind(run.id.0)
                .bind(run.token())
                .execute(tx)
                .await?;
            Ok(Wake::none())
        },
    )
    .await
}

async fn plain(job: Plain, run: &Run, bench: &Bench) -> Outcome {
    bench.started(run, None);
    if !bench.work(run, job.ms).await {
        return stopped();
    }
    let mut conn = bench.pool.acquire().await?;
    let mut tx = conn.begin().await?;
    match run.fence(&mut tx).await {
        Ok(()) => {}
        Err(LeaseError::Lost) => return stopped(),
        Err(error) => return Err(error.into()),
    }
    sqlx::query("insert into faults.once (key, job) values ($1, $2) on conflict do nothing")
        .bind(&job.key)
        .bind(run.id.0)
        .execute(&mut *tx)
        .await?;
    bench.audit.write(Fact::Committing {
        job: run.id.0,
        token: run.token(),
    });
    tx.commit().await?;
    Ok(Done::Completed)
}

async fn hungry(run: &Run, bench: &Bench) -> Outcome {
    bench.started(run, None);
    // The shell doubles a string until it is refused the memory.
    let child = Command::new("prlimit")
        .args(["--as=200000000", "--", "sh", "-c"])
        .arg("x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done")
        .kill_on_drop(true)
        .status()
        .await?;
    if child.success() {
        return Ok(Done::Completed);
    }
    Err(Failure::from(format!("the child died: {child}")))
}

async fn hog(job: Hog, run: &Run, bench: &Bench) -> Outcome {
    bench.started(run, None);
    let mut held = Vec::new();
    while let Some(conn) = bench.pool.try_acquire() {
        held.push(conn);
    }
    if !bench.work(run, job.ms).await {
        return stopped();
    }
    Ok(Done::Completed)
}

fn die(how: Death) -> Outcome {
    match how {
        Death::Abort => std::process::abort(),
        Death::Segv => {
            // The first time, the runtime's handler only gives way to the system's.
            raise(Signal::SIGSEGV)?;
            raise(Signal::SIGSEGV)?;
        }
        Death::Stack => {
            // On a thread of its own, whose guard page ends the process like any other's.
            let deep = std::thread::spawn(|| dig(1)).join();
            return Err(Failure::from(format!("survived: {deep:?}")));
        }
        Death::Exit => std::process::exit(7),
    }
    Err(Failure::from("survived"))
}

#[expect(unconditional_recursion, reason = "it is to use up the stack")]
fn dig(depth: u64) -> u64 {
    std::hint::black_box([depth; 64]).iter().sum::<u64>() + dig(depth + 1)
}

/// All kinds.
pub fn registry() -> Registry<Bench> {
    Registry::<Bench>::new()
        .register::<Effect>(|job, run, bench| {
            Box::pin(async move { bench.answer(&run, effect(job, &run, &bench).await) })
        })
        .register::<Plain>(|job, run, bench| {
            Box::pin(async move { bench.answer(&run, plain(job, &run, &bench).await) })
        })
        .register::<Slow>(|job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                let done = bench.work(&run, job.ms).await;
                let outcome = if done { Ok(Done::Completed) } else { stopped() };
                bench.answer(&run, outcome)
            })
        })
        .register::<Snooze>(|job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                let outcome = if run.run_no <= job.times {
                    Ok(Done::Snooze(Duration::from_millis(200)))
                } else {
                    Ok(Done::Completed)
                };
                bench.answer(&run, outcome)
            })
        })
        .register::<Flaky>(|job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                let outcome = if run.run_no <= job.times {
                    Err(Failure::from("not yet"))
                } else {
                    Ok(Done::Completed)
                };
                bench.answer(&run, outcome)
            })
        })
        .register::<Hopeless>(|_job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                bench.answer(&run, Err(Failure::fail("hopeless")))
            })
        })
        .register::<Unstorable>(|_job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                bench.answer(&run, Ok(Done::CompletedWith("\u{0}".into())))
            })
        })
        .register::<Mourn>(|_job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                bench.answer(&run, Ok(Done::Completed))
            })
        })
        .register::<Poison>(|job, run, bench| {
            Box::pin(async move {
                bench.started(&run, None);
                die(job.how)
            })
        })
        .register::<Hungry>(|_job, run, bench| {
            Box::pin(async move { bench.answer(&run, hungry(&run, &bench).await) })
        })
        .register::<Hog>(|job, run, bench| {
            Box::pin(async move { bench.answer(&run, hog(job, &run, &bench).await) })
        })
}
