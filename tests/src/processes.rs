//! The machine's processes, by what /proc says.

use std::{fs, path::Path};

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    /// Its command line, words separated by spaces.
    pub command: String,
}

/// All processes that are not zombies.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| read(&entry.path())).collect()
}

/// The children of `pid`, and theirs.
pub fn descendants(pid: i32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// The encoders that `pid` runs.
pub fn encoders(pid: i32) -> Vec<Process> {
    let ours = descendants(pid).into_iter();
    ours.filter(|process| process.command.contains("ffmpeg"))
        .collect()
}

/// Whether a process exists and is no zombie.
pub fn is_alive(pid: i32) -> bool {
    read(&Path::new("/proc").join(pid.to_string())).is_some()
}

fn read(folder: &Path) -> Option<Process> {
    let pid = folder.file_name()?.to_str()?.parse().ok()?;
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name in parentheses may hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let command = fs::read(folder.join("cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command)
        .replace('\0', " ")
        .trim()
        .to_owned();
    Some(Process {
        pid,
        parent,
        command,
    })
}
