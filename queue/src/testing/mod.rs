//! Helpers for the tests of an application, against a real PostgreSQL: what was enqueued, jobs run in the test's own task,
//! and time that passes without waiting. They need the feature `testing`, which belongs among the dev-dependencies only.
//!
//! Nothing is imitated: jobs are claimed, run and ended by the statements of a worker, so fences, limits, retries,
//! dependants and unique keys do what they do in production. Only the loops of a worker are missing; a test says when what
//! they do is to be done. Give each test a database of its own.
//!
//! ```rust,no_run
//! use std::time::Duration;
//!
//! use millrace_queue::{Done, Kind, NewJob, Registry, State, enqueue, testing::{self, Expect, Runner}};
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Greet {
//!     name: String,
//! }
//!
//! impl Kind for Greet {
//!     const KIND: &'static str = "greet";
//!     const QUEUE: &'static str = "default";
//! }
//!
//! # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! // In an application, the registry that its worker has.
//! let registry = Registry::new().register(|greet: Greet, run, ()| {
//!     Box::pin(async move {
//!         if run.attempt == 1 {
//!             return Err(format!("{} is not at home", greet.name).into());
//!         }
//!         Ok(Done::Completed)
//!     })
//! });
//! let runner = Runner::new(pool.clone(), registry, ()).await?;
//! let mut conn = pool.acquire().await?;
//!
//! let job = NewJob::new(&Greet { name: "Ann".into() }).delay(Duration::from_secs(3600));
//! let job = enqueue(&mut conn, job).await?.id;
//! let greets = Expect::job::<Greet>();
//! testing::assert_enqueued(&mut conn, greets.clone().args(json!({"name": "Ann"}))).await;
//! testing::refute_enqueued(&mut conn, greets.args(json!({"name": "Bob"}))).await;
//!
//! assert!(runner.run_next().await?.is_none(), "not before its time");
//! testing::time_passes(&mut conn, Duration::from_secs(3600)).await?;
//! let ran = runner.run(job).await?;
//! assert_eq!(ran.state, State::Retryable);
//! assert_eq!(ran.error.as_deref(), Some("Ann is not at home"));
//!
//! testing::time_passes(&mut conn, Duration::from_secs(60)).await?; // longer than its backoff
//! assert_eq!(runner.drain().await?.completed, 1);
//! # Ok(())
//! # }
//! ```

/// Claims one job.
mod choice;
/// Time that passes when a test says so.
mod clock;
/// Runs what is due.
mod drain;
/// What was enqueued.
mod enqueued;
/// Which jobs a test looks for.
mod expect;
/// One run of a test.
mod ran;
/// Runs jobs in the test's own task.
mod runner;
/// Fires schedules when a test says so.
mod schedules;

pub use clock::time_passes;
pub use drain::{Drain, DrainError, Drained};
pub use enqueued::{assert_enqueued, enqueued, refute_enqueued};
pub use expect::Expect;
pub use ran::Ran;
pub use runner::{NotRun, Runner};
pub use schedules::{Fired, fire_schedules};
