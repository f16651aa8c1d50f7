//! Processor time as /proc tells it, and whether the machine is ours meanwhile. Elsewhere than on Linux nothing is known,
//! and a run is taken as it is.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// Linux tells every program that there are 100 ticks a second.
const TICKS: f64 = 100.0;
/// Cores that others use on a machine that is idle enough to begin.
const QUIET: f64 = 0.3;
/// Seconds to wait for that.
const PATIENCE: u32 = 60;

/// A measurement of processor time that has begun.
pub(crate) struct Watch {
    postmaster: i32,
    at: Instant,
    machine: f64,
    server: f64,
    own: f64,
}

/// What a run used, in seconds of processor time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Usage {
    /// The server with all its processes.
    pub(crate) server: f64,
    /// The measured programs, and this one.
    pub(crate) client: f64,
    /// Everybody else, in cores.
    pub(crate) outside: f64,
}

impl Watch {
    /// Begins. `postmaster` is the server's process.
    pub(crate) fn start(postmaster: i32) -> Self {
        Self {
            postmaster,
            at: Instant::now(),
            machine: machine(),
            server: tree(postmaster),
            own: own(),
        }
    }

    /// Ends. The measured programs must have been waited for.
    pub(crate) fn stop(self) -> Usage {
        let seconds = self.at.elapsed().as_secs_f64();
        let server = tree(self.postmaster) - self.server;
        let client = own() - self.own;
        let busy = machine() - self.machine;
        Usage {
            server,
            client,
            outside: ((busy - server - client) / seconds).max(0.0),
        }
    }
}

/// Whether runs wait for the machine.
static HURRIED: AtomicBool = AtomicBool::new(false);

/// From now on nothing waits for the machine: to see that everything works, not to quote.
pub(crate) fn hurry() {
    HURRIED.store(true, Ordering::Relaxed);
}

pub(crate) fn hurried() -> bool {
    HURRIED.load(Ordering::Relaxed)
}

/// Waits until the machine is idle, a minute at most.
pub(crate) async fn quiet() {
    for _ in 0..PATIENCE {
        if hurried() {
            return;
        }
        let before = machine();
        sleep(Duration::from_secs(1)).await;
        if machine() - before < QUIET {
            return;
        }
    }
    eprintln!("  the machine does not become idle; going on");
}

/// Processor time that the process `pid` used itself, in seconds.
pub(crate) fn of_process(pid: i32) -> Option<f64> {
    let (_, own, _) = stat(pid)?;
    Some(own)
}

/// Processor time of all processes.
fn machine() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/stat") else {
        return 0.0;
    };
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .map(|n| n.parse().unwrap_or(0.0))
        .collect();
    // user nice system idle iowait irq softirq steal
    ticks
        .iter()
        .enumerate()
        .filter(|(i, _)| ![3, 4].contains(i) && *i < 8)
        .map(|(_, n)| n)
        .sum::<f64>()
        / TICKS
}

/// This process with those it has waited for.
fn own() -> f64 {
    let mut seconds = 0.0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        if let Ok(usage) = getrusage(who) {
            for time in [usage.user_time(), usage.system_time()] {
                seconds += time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
            }
        }
    }
    seconds
}

/// A process, those it has waited for, and its living children.
fn tree(root: i32) -> f64 {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return 0.0;
    };
    let mut stats = HashMap::new();
    for entry in entries.flatten() {
        if let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
            && let Some(stat) = stat(pid)
        {
            stats.insert(pid, stat);
        }
    }
    let children: f64 = stats
        .values()
        .filter(|(parent, ..)| *parent == root)
        .map(|(_, own, waited)| own + waited)
        .sum();
    children
        + stats
            .get(&root)
            .map_or(0.0, |(_, own, waited)| own + waited)
}

/// Its parent, its own processor time, and that of the children it waited for.
fn stat(pid: i32) -> Option<(i32, f64, f64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((
        fields.get(1)?.parse().ok()?,
        (ticks(11)? + ticks(12)?) / TICKS,
        (ticks(13)? + ticks(14)?) / TICKS,
    ))
}
