//! The processes of a trial: workers and the enqueuer, each behind a proxy of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use tokio::time::{Instant, timeout};

use crate::{
    evidence::Holding,
    load::Mix,
    pooler::Pooler,
    process::{Process, Programs},
    proxy::Proxy,
    record::{Audit, Fact, now},
    row::Row,
    skew::{self, Skew},
};

/// How long a worker may take to drain.
pub(crate) const DRAIN: Duration = Duration::from_secs(6);
/// Beyond that, before its end counts as late: the machine may be busy.
const LATE: Duration = Duration::from_secs(5);

/// A place for a worker: when one is gone, the next takes it.
pub(crate) struct Post {
    pub(crate) proxy: Proxy,
    // Its sessions go with it.
    pooler: Option<Pooler>,
    pub(crate) name: String,
    process: Process,
    /// Until then nothing else is done to it.
    pub(crate) busy_until: Option<Instant>,
    descriptors_before: usize,
    generation: usize,
    number: usize,
}

/// A worker that was told to stop.
struct Leaving {
    name: String,
    process: Process,
    // Its connections go with them.
    _wires: (Proxy, Option<Pooler>),
    deadline: Instant,
}

/// All workers.
pub(crate) struct Fleet {
    pub(crate) posts: Vec<Post>,
    leaving: Vec<Leaving>,
    pub(crate) complaints: Vec<String>,
    programs: Programs,
    folder: PathBuf,
    socket: PathBuf,
    /// What every worker is told.
    arguments: Vec<String>,
    /// Whether jobs take their workers down.
    poisoned: bool,
    /// The library by which clocks are wrong, where they are.
    skewed: Option<String>,
    /// Whether each reaches the database by a PgBouncer.
    pooled: bool,
}

impl Fleet {
    pub(crate) async fn start(
        row: &Row,
        programs: &Programs,
        folder: &Path,
        socket: PathBuf,
        arguments: Vec<String>,
    ) -> Result<Self> {
        let mut fleet = Self {
            posts: Vec::new(),
            leaving: Vec::new(),
            complaints: Vec::new(),
            programs: programs.clone(),
            folder: folder.to_owned(),
            socket,
            arguments,
            poisoned: row.mix == Mix::Poison,
            skewed: match row.skewed {
                true => Some(skew::library().context("libfaketime is not installed")?),
                false => None,
            },
            pooled: row.pooled,
        };
        for number in 0..row.workers {
            let post = fleet.hire(number, 0).await?;
            fleet.posts.push(post);
        }
        Ok(fleet)
    }

    async fn hire(&self, number: usize, generation: usize) -> Result<Post> {
        let name = format!("w{number}.{generation}");
        let pooler = match self.pooled {
            true => {
                let log = self.folder.join(format!("{name}.pgbouncer.log"));
                Some(Pooler::start(&self.socket, &name, &log).await?)
            }
            false => None,
        };
        let socket = pooler.as_ref().map(Pooler::socket);
        let proxy = Proxy::open(socket.unwrap_or_else(|| self.socket.clone())).await?;
        let mut arguments = vec![
            format!("--name={name}"),
            format!("--port={}", proxy.port),
            format!("--audit={}", self.folder.display()),
            format!("--drain-ms={}", DRAIN.as_millis()),
        ];
        arguments.extend_from_slice(&self.arguments);
        let mut variables = Vec::new();
        if let Some(library) = &self.skewed {
            let skew = Skew::of_worker(number);
            arguments.push(format!("--ahead-us={}", skew.micros()));
            variables.extend(skew.variables(library));
        }
        if self.pooled {
            arguments.push("--pooled".to_owned());
        }
        let log = self.folder.join(format!("{name}.log"));
        Ok(Post {
            process: Process::start(&self.programs.worker, &arguments, &variables, &log)?,
            proxy,
            pooler,
            name,
            busy_until: None,
            descriptors_before: 0,
            generation,
            number,
        })
    }

    async fn replace(&mut self, at: usize) -> Result<Post> {
        let (number, generation) = (self.posts[at].number, self.posts[at].generation + 1);
        let post = self.hire(number, generation).await?;
        Ok(std::mem::replace(&mut self.posts[at], post))
    }

    /// SIGKILL, and another in its place.
    pub(crate) async fn kill(&mut self, at: usize, audit: &Audit) -> Result<()> {
        audit.write(Fact::Fault {
            to: Some(self.posts[at].name.clone()),
            what: "kill".to_owned(),
            until: now(),
        });
        self.posts[at].process.signal(Signal::SIGKILL);
        let mut dead = self.replace(at).await?;
        dead.process.wait().await?;
        Ok(())
    }

    /// SIGTERM, and another in its place at once, as in a deployment.
    pub(crate) async fn terminate(&mut self, at: usize) -> Result<()> {
        self.posts[at].process.signal(Signal::SIGTERM);
        let old = self.replace(at).await?;
        self.leaving.push(Leaving {
            name: old.name,
            process: old.process,
            _wires: (old.proxy, old.pooler),
            deadline: Instant::now() + DRAIN + LATE,
        });
        Ok(())
    }

    pub(crate) fn signal(&self, at: usize, signal: Signal) {
        self.posts[at].process.signal(signal);
    }

    /// Sees who has ended: a leaver must have drained in time, and whoever died is replaced. Returns how many died.
    pub(crate) async fn look_after(&mut self, audit: &Audit) -> Result<usize> {
        let mut died = 0;
        for at in 0..self.posts.len() {
            let post = &mut self.posts[at];
            if let Some(status) = post.process.ended()? {
                audit.write(Fact::Fault {
                    to: Some(post.name.clone()),
                    what: "died".to_owned(),
                    until: now(),
                });
                // Nobody else ends a worker that has a post.
                if !self.poisoned {
                    let complaint = format!("{} ended by itself: {status}", post.name);
                    self.complaints.push(complaint);
                }
                self.replace(at).await?;
                died += 1;
            }
        }
        let mut still = Vec::new();
        for mut leaver in self.leaving.drain(..) {
            match leaver.process.ended()? {
                Some(status) if status.success() => {}
                Some(status) => {
                    let complaint = format!("{} was told to stop: {status}", leaver.name);
                    self.complaints.push(complaint);
                }
                None if Instant::now() > leaver.deadline => {
                    let complaint = format!("{} did not stop in time", leaver.name);
                    self.complaints.push(complaint);
                }
                None => still.push(leaver),
            }
        }
        self.leaving = still;
        Ok(died)
    }

    /// Notes what each worker has open, to compare with later.
    pub(crate) fn count_descriptors(&mut self) {
        for post in &mut self.posts {
            post.descriptors_before = post.process.descriptors();
        }
    }

    /// What each has open now; the sessions are the caller's to count. Of workers that came later, nothing is known.
    pub(crate) fn holdings(&self) -> Vec<Holding> {
        let known = self.posts.iter().filter(|post| post.descriptors_before > 0);
        known
            .map(|post| Holding {
                who: post.name.clone(),
                sessions: 0,
                descriptors: post.process.descriptors(),
                descriptors_before: post.descriptors_before,
            })
            .collect()
    }

    /// Stops all, and waits for everybody.
    pub(crate) async fn dismiss(&mut self) -> Result<()> {
        for post in self.posts.drain(..) {
            post.process.signal(Signal::SIGTERM);
            self.leaving.push(Leaving {
                name: post.name,
                process: post.process,
                _wires: (post.proxy, post.pooler),
                deadline: Instant::now() + DRAIN + LATE,
            });
        }
        for mut leaver in self.leaving.drain(..) {
            let left = leaver.deadline.saturating_duration_since(Instant::now());
            match timeout(left, leaver.process.wait()).await {
                Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => {}
                Ok(status) => {
                    let complaint = format!("{} was told to stop: {:?}", leaver.name, status?);
                    self.complaints.push(complaint);
                }
                Err(_) => {
                    let complaint = format!("{} did not stop in time", leaver.name);
                    self.complaints.push(complaint);
                }
            }
        }
        Ok(())
    }
}
