//! The trait of a kind, and the list that makes it enqueueable.

use std::{future::Future, time::Duration};

use millrace_queue::{Backoff, Outcome, Schedule};
use serde::{Serialize, de::DeserializeOwned};

use crate::JobContext;

/// A kind of work: what it carries, its policy, and what it does. To add one: one file in `kinds/`, one line in
/// the list of `kinds/mod.rs`. Enqueueing a kind that is not in the list does not compile.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stable name. Never rename one with jobs queued: alias it.
    const KIND: &'static str;
    /// The queue it runs in: `media` for what keeps a core busy, `default` for the rest.
    const QUEUE: &'static str;
    /// Former names that are still run.
    const ALIASES: &'static [&'static str] = &[];
    /// Runs that may fail before the job is given up.
    const MAX_ATTEMPTS: u16 = 12;
    /// Workers that may go down with it before it is quarantined. ffmpeg is a process of its own, so a worker that
    /// dies is mostly one that was killed, and a job that resumes where it was is worth more patience than the engine
    /// has by default.
    const MAX_CRASHES: u16 = 10;
    /// Smaller runs first.
    const PRIORITY: i16 = 0;
    /// How long one run may take.
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);
    /// How long it waits after a failed run: 2 s, doubling up to a minute. Somebody looks at a progress bar; 12
    /// attempts span about 7 minutes.
    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), 2.0, Duration::from_secs(60));

    /// When it comes round by itself. The table of schedules has the last word: an operator may change it there.
    fn schedule() -> Option<Schedule> {
        None
    }

    /// Does the work. It may run twice: say above the struct why that is safe.
    fn run(self, cx: &JobContext) -> impl Future<Output = Outcome> + Send;
}

/// Makes each listed kind enqueueable and registers its handler.
macro_rules! kinds {
    ($($(#[$doc:meta])* $module:ident :: $name:ident),+ $(,)?) => {
        $($(#[$doc])* mod $module;)+
        $(pub use $module::$name;)+

        $(impl millrace_queue::Kind for $name {
            const KIND: &'static str = <Self as $crate::Job>::KIND;
            const QUEUE: &'static str = <Self as $crate::Job>::QUEUE;
            const ALIASES: &'static [&'static str] = <Self as $crate::Job>::ALIASES;
            const MAX_ATTEMPTS: u16 = <Self as $crate::Job>::MAX_ATTEMPTS;
            const MAX_CRASHES: u16 = <Self as $crate::Job>::MAX_CRASHES;
            const PRIORITY: i16 = <Self as $crate::Job>::PRIORITY;
            const TIMEOUT: std::time::Duration = <Self as $crate::Job>::TIMEOUT;
            const BACKOFF: millrace_queue::Backoff = <Self as $crate::Job>::BACKOFF;
        })+

        /// Every kind with its handler and its schedule, and the engine's own.
        pub fn registry() -> millrace_queue::Registry<$crate::Services> {
            let registry = millrace_queue::Registry::new()
                $(.register::<$name>(|job, run, services: $crate::Services| {
                    Box::pin(async move {
                        let cx = $crate::JobContext::new(services, run);
                        let outcome = $crate::Job::run(job, &cx).await;
                        cx.settle(outcome).await
                    })
                }))+;
            let schedules = [$(<$name as $crate::Job>::schedule()),+];
            schedules
                .into_iter()
                .flatten()
                .fold(registry, millrace_queue::Registry::schedule)
                .bulk($crate::operate::QUEUE, |services: &$crate::Services| services.db.clone())
        }
    };
}
pub(crate) use kinds;
