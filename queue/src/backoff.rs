//! How long a failed job waits before its next attempt.

use std::time::Duration;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

/// Exponential backoff with jitter. The wait is computed when the run fails and stored as `run_at`, so a restart of
/// the worker neither shortens nor forgets it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// The wait after the first attempt, in milliseconds.
    pub base_ms: u64,
    /// What each further wait is multiplied with.
    pub factor: f64,
    /// The longest wait, in milliseconds.
    pub max_ms: u64,
    /// The share of the wait that is random, 0 to 1: failures that came together must not come back together.
    pub jitter: f64,
}

impl Backoff {
    /// 2 s, doubling up to 1 h, a fifth of it random: 20 attempts span about 9 hours.
    pub const DEFAULT: Self = Self::new(Duration::from_secs(2), 2.0, Duration::from_secs(3600));
    /// No wait at all.
    pub const NONE: Self = Self::new(Duration::ZERO, 1.0, Duration::ZERO);

    /// A backoff with the usual jitter of a fifth.
    pub const fn new(base: Duration, factor: f64, max: Duration) -> Self {
        Self {
            base_ms: base.as_millis() as u64,
            factor,
            max_ms: max.as_millis() as u64,
            jitter: 0.2,
        }
    }

    /// The wait after `attempt` (1 is the first) has failed.
    pub fn wait(&self, attempt: u32) -> Duration {
        self.wait_with(attempt, rand::rng().random_range(0.0..1.0))
    }

    /// `draw` in 0..1 stands for the die.
    fn wait_with(&self, attempt: u32, draw: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let whole = (self.base_ms as f64 * self.factor.powi(exponent)).min(self.max_ms as f64);
        let whole = if whole.is_finite() {
            whole.max(0.0)
        } else {
            self.max_ms as f64
        };
        let jitter = self.jitter.clamp(0.0, 1.0);
        Duration::from_millis((whole * (1.0 - jitter * draw)) as u64)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(10));
        let waits: Vec<u64> = (1..=6)
            .map(|n| backoff.wait_with(n, 0.0).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.wait_with(u32::MAX, 0.0).as_secs(), 10);
    }

    #[test]
    fn jitter_only_shortens() {
        let backoff = Backoff::new(Duration::from_secs(10), 2.0, Duration::from_secs(10));
        assert_eq!(backoff.wait_with(1, 1.0), Duration::from_secs(8));
        for _ in 0..100 {
            let wait = backoff.wait(1);
            assert!(wait >= Duration::from_secs(8) && wait <= Duration::from_secs(10));
        }
    }
}
