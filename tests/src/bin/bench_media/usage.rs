//! Processor time, as /proc tells it.

use anyhow::{Context as _, Result};

/// Seconds of processor time that a process used, with the children that it waited for.
pub(crate) fn seconds(pid: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("a stat without a name")?;
    let times = fields.split_whitespace().skip(11).take(4);
    let mut ticks = 0;
    for time in times {
        ticks += time.parse::<u64>()?;
    }
    // Linux tells every program that there are 100 a second.
    Ok(ticks as f64 / 100.0)
}
