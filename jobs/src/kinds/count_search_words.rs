//! count_search_words: which words videos say.

use millrace_domain::search;
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext};

/// Changes of documents that one statement counts.
const BATCH: i64 = 1_000;

/// Counts the words of videos that came, changed and went, for suggestions and for misspelt words.
/// Safe twice: each statement takes changes away in the moment in which it counts them.
#[derive(Debug, Serialize, Deserialize)]
pub struct CountSearchWords {}

impl Job for CountSearchWords {
    const KIND: &'static str = "count_search_words";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 40;
    /// The next comes soon.
    const MAX_ATTEMPTS: u16 = 3;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "45 * * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let mut conn = cx.db().acquire().await?;
        while search::count_words(&mut conn, BATCH).await? == BATCH && !cx.cancelled().is_cancelled() {}
        Ok(Done::Completed)
    }
}
