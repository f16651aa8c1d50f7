//! One run of ffmpeg or ffprobe: unprivileged, in its own process group, watched, and killed whole.

use std::{
    collections::VecDeque,
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    failure::{cannot_start, stalled, too_expensive},
    limits::Limits,
    progress::{Parser, Tick},
    sandbox::Sandbox,
    spawner::Spawner,
};
use crate::media::error::MediaError;

/// How much of what it said is kept.
const STDERR_TAIL: usize = 4096;
/// ffprobe's answer about an honest file is a few kilobytes.
const STDOUT_LIMIT: u64 = 4 << 20;

/// The kernel's count of the last moments of a process lags behind.
const CPU_SLACK: Duration = Duration::from_millis(200);

/// How processes are started and followed.
pub(super) struct Launcher {
    pub(super) spawner: Spawner,
    /// The search path; nothing else of our environment, which holds secrets, is passed on.
    pub(super) path: Option<OsString>,
}

/// One run.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<OsString>,
    /// Its private directory.
    pub(super) cwd: &'a Path,
    /// The one file that it reads.
    pub(super) source: Option<&'a Path>,
    pub(super) limits: Limits,
    /// Kill it when this long nothing comes out.
    pub(super) patience: Duration,
}

/// How a run ended by itself.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Launcher {
    /// Runs to the end, taking standard output as progress.
    pub(super) async fn follow(
        &self,
        sandbox: &Sandbox,
        run: Run<'_>,
        report: &(dyn Fn(Tick) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<Ended, MediaError> {
        let patience = run.patience;
        let mut group = self.spawn(sandbox, run).await?;
        let stdout = group.child.stdout.take().map(BufReader::new);
        let stderr = group.child.stderr.take();
        let mut lines = stdout.map(AsyncBufReadExt::lines);
        let work = async {
            let tail = tail(stderr);
            let watch = async {
                let (mut parser, mut last) = (Parser::default(), Tick::default());
                let mut deadline = Instant::now() + patience;
                while let Some(lines) = lines.as_mut() {
                    // Biased: after this task was held up, what is in the pipe counts before the clock does.
                    let line = tokio::select! {
                        biased;
                        line = lines.next_line() => line,
                        () = tokio::time::sleep_until(deadline) => return Err(stalled()),
                    };
                    let Ok(Some(line)) = line else { break };
                    if let Some(tick) = parser.line(&line) {
                        if tick.is_beyond(&last) {
                            deadline = Instant::now() + patience;
                            last = tick;
                        }
                        report(tick);
                    }
                }
                Ok(())
            };
            // A stall ends this at once: what is stalled does not close its standard error either.
            let tail = async { Ok(tail.await) };
            let both = futures::future::try_join(watch, tail).await;
            both.map(|((), stderr)| (Vec::new(), stderr))
        };
        group.end(work, cancel).await
    }

    /// Runs to the end and keeps standard output.
    pub(super) async fn capture(
        &self,
        sandbox: &Sandbox,
        run: Run<'_>,
        cancel: &CancellationToken,
    ) -> Result<Ended, MediaError> {
        let patience = run.patience;
        let mut group = self.spawn(sandbox, run).await?;
        let stdout = group.child.stdout.take();
        let stderr = group.child.stderr.take();
        let work = async {
            let read = async {
                let mut answer = Vec::new();
                if let Some(stdout) = stdout {
                    let _ = stdout.take(STDOUT_LIMIT).read_to_end(&mut answer).await;
                }
                answer
            };
            let both = futures::future::join(read, tail(stderr));
            tokio::time::timeout(patience, both)
                .await
                .map_err(|_| stalled())
        };
        group.end(work, cancel).await
    }

    async fn spawn(&self, sandbox: &Sandbox, run: Run<'_>) -> Result<Group, MediaError> {
        let mut words = sandbox.words(&run).into_iter();
        let first = PathBuf::from(words.next().unwrap_or_default());
        let mut command = Command::new(&first);
        command
            .args(words)
            .args(&run.args)
            .env_clear()
            .env("LC_ALL", "C")
            .env("HOME", run.cwd)
            .current_dir(run.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        let spawned = self.spawner.spawn(command).await;
        let child = spawned.map_err(|error| cannot_start(&first, &error))?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        let limits = run.limits;
        Ok(Group { child, id, limits })
    }
}

/// A process group that is killed when this is dropped before it has ended.
struct Group {
    child: Child,
    id: Option<Pid>,
    limits: Limits,
}

impl Group {
    /// Waits for `work` and then for the process; kills the group when cancelled, when `work` fails, and when its time
    /// is up.
    async fn end(
        &mut self,
        work: impl Future<Output = Result<(Vec<u8>, String), MediaError>>,
        cancel: &CancellationToken,
    ) -> Result<Ended, MediaError> {
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(MediaError::cancelled()),
            outcome = work => outcome,
            () = tokio::time::sleep(self.limits.wall) => Err(too_expensive("wall clock")),
        };
        if outcome.is_err() {
            self.kill();
        }
        let used = self.id.and_then(cpu_used);
        let status = self.child.wait().await;
        // Reaped: the id may be another's from now on.
        self.id = None;
        let (stdout, stderr) = outcome?;
        let status = status.map_err(|error| {
            MediaError::transient("The encoder was lost.").with_detail(error.to_string())
        })?;
        // The kernel kills for want of memory in the same way: what it used tells them apart.
        let killed = status.signal() == Some(Signal::SIGKILL as i32);
        if killed && used.is_some_and(|used| used + CPU_SLACK >= self.limits.cpu) {
            return Err(too_expensive("CPU time"));
        }
        Ok(Ended {
            status,
            stdout,
            stderr,
        })
    }

    fn kill(&self) {
        if let Some(id) = self.id {
            // An error means that it is gone already.
            let _ = killpg(id, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// CPU time of a process that has not been reaped, dead or alive. Linux only; elsewhere nothing limits it either.
fn cpu_used(id: Pid) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, which may hold anything, ends at the last parenthesis; user and system time are fields 14 and 15, in
    // ticks that are hundredths of a second for every program that asks.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|field| field.parse().unwrap_or(0)).sum();
    Some(Duration::from_millis(ticks * 10))
}

/// The end of a stream of text, however long it is.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept: VecDeque<u8> = VecDeque::with_capacity(STDERR_TAIL);
    let mut buffer = [0; 1024];
    if let Some(mut stream) = stream {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            kept.extend(&buffer[..read]);
            let excess = kept.len().saturating_sub(STDERR_TAIL);
            kept.drain(..excess);
        }
    }
    String::from_utf8_lossy(kept.make_contiguous()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ffmpeg::{sandbox::Isolation, work_dir::MediaUser};

    fn launcher() -> Launcher {
        let spawner = Spawner::start().unwrap();
        let path = std::env::var_os("PATH");
        Launcher { spawner, path }
    }

    fn sandbox() -> Sandbox {
        let user = nix::unistd::geteuid().is_root().then_some(MediaUser {
            uid: 65534,
            gid: 65534,
        });
        Sandbox {
            isolation: Isolation::Nothing,
            limits: true,
            user,
            programs: Vec::new(),
            cores: 2,
            refused: String::new(),
        }
    }

    fn shell<'a>(script: &str, patience: Duration) -> Run<'a> {
        let args = vec!["-c".into(), script.into()];
        Run {
            program: Path::new("sh"),
            args,
            cwd: Path::new("/"),
            source: None,
            limits: Limits::PROBE,
            patience,
        }
    }

    #[tokio::test]
    async fn silence_is_a_stall_and_takes_the_whole_group_down() {
        let (launcher, cancel) = (launcher(), CancellationToken::new());
        // The grandchild holds the pipe open: only a kill of the group ends both.
        let script = "echo frame=1; echo progress=continue; sleep 600 & sleep 600";
        let run = shell(script, Duration::from_millis(300));
        let begun = Instant::now();
        let error = launcher
            .follow(&sandbox(), run, &|_| {}, &cancel)
            .await
            .unwrap_err();
        assert_eq!(error, stalled());
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn progress_is_reported_and_the_end_of_a_long_complaint_is_kept() {
        let (launcher, cancel) = (launcher(), CancellationToken::new());
        let script = "echo frame=7; echo progress=end; \
            i=0; while [ $i -lt 2000 ]; do echo complaint $i >&2; i=$((i+1)); done; exit 3";
        let last = std::sync::Mutex::new(0);
        let report = |tick: Tick| *last.lock().unwrap() = tick.frame;
        let run = shell(script, Duration::from_secs(60));
        let ended = launcher
            .follow(&sandbox(), run, &report, &cancel)
            .await
            .unwrap();
        assert_eq!(*last.lock().unwrap(), 7);
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.stderr.len(), STDERR_TAIL);
        assert!(ended.stderr.ends_with("complaint 1999\n"));
    }

    #[tokio::test]
    async fn our_environment_is_not_passed_on() {
        let run = shell("env", Duration::from_secs(60));
        let ended = launcher()
            .capture(&sandbox(), run, &CancellationToken::new())
            .await
            .unwrap();
        let names = String::from_utf8(ended.stdout).unwrap();
        let own = ["PATH", "LC_ALL", "HOME", "PWD", "OLDPWD", "SHLVL", "_"];
        for line in names.lines() {
            let name = line.split('=').next().unwrap();
            assert!(own.contains(&name), "{line}");
        }
    }
}
