//! Clocks that are wrong: a process under libfaketime, whose own clock of the day is ahead or behind.

use std::path::PathBuf;

/// How far a clock is ahead, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skew(i64);

impl Skew {
    /// Ten minutes ahead for every second worker, ten behind for the others: two that work together are twenty apart.
    pub(crate) fn of_worker(number: usize) -> Self {
        Self(if number.is_multiple_of(2) { 600 } else { -600 })
    }

    /// In microseconds, for whoever writes times down and wants them to be true.
    pub(crate) fn micros(self) -> i64 {
        self.0 * 1_000_000
    }

    /// The variables of a process with such a clock. Only the clock of the day is wrong: timers go on as they do anywhere.
    pub(crate) fn variables(self, library: &str) -> [(&'static str, String); 3] {
        [
            ("LD_PRELOAD", library.to_owned()),
            ("FAKETIME", format!("{:+}s", self.0)),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Where libfaketime is (Debian's package `faketime`). `None` where it is not installed.
pub(crate) fn library() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let names =
        folders.filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketimeMT.so.1")));
    let mut there = names.filter(|path: &PathBuf| path.is_file());
    there.next().map(|path| path.display().to_string())
}
