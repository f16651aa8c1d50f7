//! Waiting for what must come true, with a deadline.

use std::{future::Future, time::Duration};

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

/// Between two looks at something that announces itself to nobody.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Looks until there is something to see, and returns it.
///
/// # Errors
/// What `look` says, or that `what` did not come within `deadline`.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        anyhow::ensure!(Instant::now() < end, "waited {deadline:?} in vain: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// Awaits `future` for at most `deadline`.
///
/// # Errors
/// That `what` did not come in time.
pub async fn within<T>(
    what: &str,
    deadline: Duration,
    future: impl Future<Output = T>,
) -> Result<T> {
    let waited = tokio::time::timeout(deadline, future).await;
    waited.with_context(|| format!("waited {deadline:?} in vain: {what}"))
}
