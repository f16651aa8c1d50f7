//! What keeps a hostile file in: the wrappers that every ffmpeg and ffprobe is started through.
//!
//! The guards (formats, codecs, protocols) are what stops a file that asks ffmpeg for something; this is for the file that
//! makes ffmpeg do something. Inside, there is no network, and of all files only the system's programs and libraries,
//! the run's own directory, and the one source, which cannot be written. Made of what every Linux installs (util-linux):
//! `unshare` for namespaces, `mount` for the small root, `prlimit` for limits, `setpriv` for privileges. bubblewrap does
//! the same with one program more to install, and Landlock needs a newer `setpriv` than Debian 12 has.
//!
//! Order matters. `setpriv` comes first, so that from the first instant the process dies with the worker; namespaces and
//! mounts need the privileges that `setpriv` then drops; and changing the user clears the parent-death signal, so it is
//! asked for again.

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use nix::sys::resource::{Resource, getrlimit};

use super::{limits::Limits, process::Run, work_dir::MediaUser};

/// What ffmpeg may need of the system: programs, libraries, and how they are found. No settings, no secrets.
const SYSTEM: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/ld-musl-x86_64.path",
];
const DEVICES: [&str; 2] = ["/dev/null", "/dev/urandom"];
/// Files that one run may have open: a source, a few segments, libraries while they are loaded.
const OPEN_FILES: u64 = 256;

/// How namespaces are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespaces {
    /// As root that may (`CAP_SYS_ADMIN`).
    Root,
    /// As anybody, inside a user namespace, where the system allows those.
    User,
}

/// How far a run is cut off from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// No network, and no files but its own.
    Files(Namespaces),
    /// No network.
    Network(Namespaces),
    Nothing,
}

/// The wrappers as they work here.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    pub(super) isolation: Isolation,
    /// `prlimit` is there.
    pub(super) limits: bool,
    pub(super) user: Option<MediaUser>,
    /// Folders of the programs, where they are outside the system's.
    pub(super) programs: Vec<PathBuf>,
    /// How many cores this process sees.
    pub(super) cores: u64,
    /// Why it isolates no better.
    pub(super) refused: String,
}

impl Sandbox {
    /// The command line of `run`, wrappers first.
    pub(super) fn words(&self, run: &Run<'_>) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if cfg!(target_os = "linux") {
            extend(&mut words, ["setpriv", "--pdeathsig", "KILL"]);
            if self.user_first() {
                words.extend(self.become_user());
            }
            words.push("--".into());
            match self.isolation {
                Isolation::Files(how) => {
                    unshare(&mut words, how);
                    extend(&mut words, ["--mount", "--", "sh", "-c"]);
                    words.extend(self.enter(run));
                }
                Isolation::Network(how) => {
                    unshare(&mut words, how);
                    words.push("--".into());
                }
                Isolation::Nothing => {}
            }
            if self.limits {
                words.extend(self.prlimit(&run.limits));
            }
            words.extend(self.drop_privileges());
        }
        extend(&mut words, ["nice", "-n", &run.limits.nice.to_string()]);
        words.push(run.program.into());
        words
    }

    fn namespaces(&self) -> Option<Namespaces> {
        match self.isolation {
            Isolation::Files(how) | Isolation::Network(how) => Some(how),
            Isolation::Nothing => None,
        }
    }

    /// A user namespace belongs to whoever makes it, so that must be the media user already.
    fn user_first(&self) -> bool {
        self.namespaces() == Some(Namespaces::User)
    }

    fn become_user(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(MediaUser { uid, gid }) = self.user {
            let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
            extend(&mut words, [&uid, &gid, "--clear-groups"]);
        }
        words
    }

    fn drop_privileges(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        extend(
            &mut words,
            ["setpriv", "--no-new-privs", "--pdeathsig", "KILL"],
        );
        if self.user_first() {
            // The capabilities of its own namespace, with which it could mount and unmount. `setpriv` drops them after it
            // sets the parent-death signal, and that clears it.
            let none = [
                "--bounding-set=-all",
                "--ambient-caps=-all",
                "--inh-caps=-all",
                "--",
            ];
            extend(&mut words, none);
            extend(&mut words, ["setpriv", "--pdeathsig", "KILL"]);
        } else {
            words.extend(self.become_user());
        }
        words.push("--".into());
        words
    }

    fn prlimit(&self, limits: &Limits) -> Vec<OsString> {
        let seconds = limits.cpu.as_secs().max(1);
        let bounds = [
            // Soft and hard alike: at the soft one ffmpeg would close its segment as if it were complete.
            ("--cpu", Resource::RLIMIT_CPU, seconds),
            // Not the address space: threads reserve far more of that than they ever use.
            ("--data", Resource::RLIMIT_DATA, limits.memory),
            ("--fsize", Resource::RLIMIT_FSIZE, limits.file),
            ("--nofile", Resource::RLIMIT_NOFILE, OPEN_FILES),
            ("--nproc", Resource::RLIMIT_NPROC, self.processes()),
            ("--core", Resource::RLIMIT_CORE, 0),
        ];
        let mut words: Vec<OsString> = vec!["prlimit".into()];
        for (name, resource, bound) in bounds {
            // Nobody but root may raise what was lowered for the worker itself.
            let highest = getrlimit(resource).map_or(u64::MAX, |(_, hard)| hard);
            let bound = bound.min(highest);
            words.push(format!("{name}={bound}:{bound}").into());
        }
        words.push("--".into());
        words
    }

    /// Threads count. In a user namespace they are counted by run; otherwise over all that the user runs on this machine,
    /// other workers included, so that the bound only stops what multiplies without end.
    fn processes(&self) -> u64 {
        match self.namespaces() {
            Some(Namespaces::User) => 512 + 32 * self.cores,
            _ => (512 * self.cores).max(8192),
        }
    }

    /// What `sh -c` is given to build a root of its own in memory, and to go on inside it. Everything is where it is
    /// outside.
    fn enter(&self, run: &Run<'_>) -> Vec<OsString> {
        let root = run.cwd.join(".root");
        let mut view = View::new(&root);
        for path in SYSTEM.map(Path::new) {
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() => view.links.push(path.to_owned()),
                Ok(_) => view.show(path, "rbind"),
                Err(_) => {}
            }
        }
        for path in DEVICES.map(Path::new) {
            view.show(path, "bind");
        }
        for path in &self.programs {
            view.show(path, "bind");
        }
        view.show(run.cwd, "bind");
        if let Some(source) = run.source {
            view.show(source, "bind,ro");
        }
        let (script, table) = view.script();
        vec![script, "sandbox".into(), root.into(), run.cwd.into(), table]
    }
}

/// What is to be seen inside.
struct View<'a> {
    root: &'a Path,
    links: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// As in `/etc/fstab`: one `mount` for all.
    table: Vec<u8>,
}

impl<'a> View<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            links: Vec::new(),
            dirs: Vec::new(),
            files: Vec::new(),
            table: Vec::new(),
        }
    }

    fn show(&mut self, path: &Path, options: &str) {
        let mut target = self.root.to_owned().into_os_string();
        target.push(path);
        let target = PathBuf::from(target);
        for field in [path, &target] {
            self.table.extend(escaped(field));
            self.table.push(b' ');
        }
        self.table
            .extend_from_slice(format!("none {options} 0 0\n").as_bytes());
        if path.is_dir() {
            self.dirs.push(target);
        } else {
            self.dirs.extend(target.parent().map(Path::to_owned));
            self.files.push(target);
        }
    }

    /// The script, and the table that it is given.
    fn script(self) -> (OsString, OsString) {
        let mut script = b"set -e; root=$1; dir=$2; table=$3; shift 3; mkdir -p \"$root\"
mount -t tmpfs -o mode=755,size=1m,nosuid,noexec millrace \"$root\"; cd \"$root\""
            .to_vec();
        let mut line = |command: &str, paths: &[PathBuf], rest: &str| {
            script.extend_from_slice(command.as_bytes());
            for path in paths {
                script.push(b' ');
                script.extend(quoted(path.as_os_str()));
            }
            script.extend_from_slice(rest.as_bytes());
        };
        line("\nmkdir -p", &self.dirs, "");
        line("\ntouch", &self.files, "");
        if !self.links.is_empty() {
            line("\ncp -P", &self.links, " .");
        }
        let rest = "\nprintf %s \"$table\" >fstab; mount -a -T fstab; rm fstab
exec unshare --root \"$root\" --wd \"$dir\" \"$@\"";
        line(rest, &[], "");
        (OsString::from_vec(script), OsString::from_vec(self.table))
    }
}

fn unshare(words: &mut Vec<OsString>, how: Namespaces) {
    words.push("unshare".into());
    if how == Namespaces::User {
        extend(words, ["--user", "--map-current-user", "--keep-caps"]);
    }
    extend(words, ["--net", "--ipc"]);
}

fn extend<const N: usize>(words: &mut Vec<OsString>, more: [&str; N]) {
    words.extend(more.map(OsString::from));
}

/// For the shell.
fn quoted(text: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in text.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// For a table of mounts.
fn escaped(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => {
                let _ = write!(escaped, "\\{byte:03o}");
            }
            byte => escaped.push(byte),
        }
    }
    escaped
}

/// Folders that `program` lies in, as it is named and as it is, where the system's folders do not hold them.
pub(super) fn folders_of(program: &Path, search: Option<&OsStr>) -> Vec<PathBuf> {
    let Some(found) = find(program, search) else {
        return Vec::new();
    };
    let real = found.canonicalize().ok();
    let mut folders: Vec<PathBuf> = [Some(found), real]
        .into_iter()
        .flatten()
        .filter_map(|path| path.parent().map(Path::to_owned))
        .filter(|folder| folder.parent().is_some())
        .filter(|folder| !SYSTEM.iter().any(|system| folder.starts_with(system)))
        .collect();
    folders.dedup();
    folders
}

/// Where a program is: a path, or the first of its name on the search path.
pub(super) fn find(program: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).ok().filter(|p| p.is_file());
    }
    std::env::split_paths(search?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        assert_eq!(quoted(OsStr::new("a'; rm x; '")), b"'a'\\''; rm x; '\\'''");
        assert_eq!(escaped(Path::new("/a b\\c")), b"/a\\040b\\134c");
    }

    #[test]
    fn a_program_outside_the_system_brings_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ffmpeg");
        std::fs::write(&path, "").unwrap();
        assert_eq!(folders_of(&path, None), [dir.path()]);
        let search = dir.path().as_os_str();
        assert_eq!(folders_of(Path::new("ffmpeg"), Some(search)), [dir.path()]);
        assert!(folders_of(Path::new("sh"), Some(OsStr::new("/usr/bin"))).is_empty());
        assert!(folders_of(Path::new("nothing"), Some(search)).is_empty());
    }
}
