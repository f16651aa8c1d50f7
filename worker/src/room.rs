//! Room for media work: while the disk or the memory of this machine is short, its worker claims none. Nothing is lost,
//! the jobs stay in the queue; other workers take them, or this one when there is room again.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millrace_config::Media;
use millrace_jobs::Services;
use millrace_queue::Holds;
use nix::sys::statvfs::statvfs;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The queue whose jobs need disk and memory.
pub(crate) const QUEUE: &str = "media";
/// Often enough that a few encoders cannot fill 2 GiB in between.
const EVERY: Duration = Duration::from_secs(2);
/// A hold ends when there is this much more than its limit, so that it does not flicker.
const MARGIN: f64 = 1.1;

/// Watches disk and memory.
pub(crate) struct Room {
    dir: PathBuf,
    min_space: u64,
    min_memory: u64,
    services: Services,
    state: Arc<RoomState>,
}

/// What is short at present, for /ready.
#[derive(Debug, Default)]
pub(crate) struct RoomState {
    short: Mutex<Option<String>>,
}

/// What there is, in bytes; `None` where it cannot be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Measured {
    space: Option<u64>,
    /// Of the file system, used or not.
    whole: u64,
    memory: Option<u64>,
}

impl RoomState {
    /// `ok`, or what is short.
    pub(crate) fn word(&self) -> String {
        let short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
        short.clone().unwrap_or_else(|| "ok".to_owned())
    }

    fn set(&self, short: Option<String>) {
        *self.short.lock().unwrap_or_else(PoisonError::into_inner) = short;
    }
}

impl Room {
    pub(crate) fn new(media: &Media, dir: &Path, services: Services) -> Self {
        metrics::describe_gauge!(
            "millrace_media_held",
            "1 while this worker claims no media work for want of disk or memory"
        );
        Self {
            dir: dir.to_owned(),
            min_space: media.min_free_space,
            min_memory: media.min_free_memory,
            services,
            state: Arc::default(),
        }
    }

    pub(crate) fn state(&self) -> Arc<RoomState> {
        self.state.clone()
    }

    /// Looks once, and returns what looks on until `shutdown`.
    pub(crate) async fn keep(
        self,
        holds: Holds,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        let mut held = self.look(false, &holds).await;
        async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => held = self.look(held, &holds).await,
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }

    /// Compares what there is with what there should be; returns whether the queue is held from now on.
    async fn look(&self, held: bool, holds: &Holds) -> bool {
        let mut short = self.short(measure(&self.dir).await, held);
        if short.is_some() {
            // Ours to give: what is only kept for later. Also while it rests, for jobs end meanwhile.
            self.services.make_room();
            short = self.short(measure(&self.dir).await, held);
        }
        metrics::gauge!("millrace_media_held").set(if short.is_some() { 1.0 } else { 0.0 });
        match (&short, held) {
            (Some(short), false) => {
                tracing::warn!("media work rests: {short}");
                holds.hold(QUEUE);
            }
            (None, true) => {
                tracing::info!("media work goes on: there is room again");
                holds.release(QUEUE);
            }
            _ => {}
        }
        let now = short.is_some();
        self.state
            .set(short.map(|short| format!("resting: {short}")));
        now
    }

    /// What is short, in words.
    fn short(&self, measured: Measured, held: bool) -> Option<String> {
        let enough = |have: Option<u64>, need: u64| {
            let need = if held {
                (need as f64 * MARGIN) as u64
            } else {
                need
            };
            need == 0 || have.is_none_or(|have| have >= need)
        };
        // On a small disk a fixed limit would rest for ever.
        let min_space = self.min_space.min(measured.whole / 10);
        let mib = |bytes: u64| bytes / (1 << 20);
        if !enough(measured.space, min_space) {
            let free = mib(measured.space.unwrap_or_default());
            return Some(format!(
                "{free} MiB free in {}, {} MiB are wanted",
                self.dir.display(),
                mib(min_space)
            ));
        }
        if !enough(measured.memory, self.min_memory) {
            let free = mib(measured.memory.unwrap_or_default());
            return Some(format!(
                "{free} MiB of memory available, {} MiB are wanted",
                mib(self.min_memory)
            ));
        }
        None
    }
}

async fn measure(dir: &Path) -> Measured {
    let dir = dir.to_owned();
    // A file system that hangs must not hold a thread of the runtime.
    let found = tokio::task::spawn_blocking(move || {
        let disk = statvfs(&dir).ok();
        let unit = disk.map_or(0, |disk| wide(disk.fragment_size()));
        Measured {
            space: disk.map(|disk| wide(disk.blocks_available()) * unit),
            whole: disk.map_or(0, |disk| wide(disk.blocks()) * unit),
            memory: std::fs::read_to_string("/proc/meminfo")
                .ok()
                .as_deref()
                .and_then(available),
        }
    });
    found.await.unwrap_or_default()
}

/// Systems differ in the widths of what they count.
fn wide(count: impl TryInto<u64>) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

/// MemAvailable in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read() {
        let text = "MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    8192000 kB\n";
        assert_eq!(available(text), Some(8_192_000 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
