//! The course of a trial: faults while there is work, then healing.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use millrace_bus::Notifier;
use millrace_queue::{JobId, request_cancel};
use nix::sys::signal::Signal;
use rand::{RngExt as _, rngs::StdRng};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::{
    evidence::Holding,
    fleet::Fleet,
    process::Process,
    proxy::Proxy,
    record::{Audit, Fact, now},
    row::Fault,
    trial::{LEASE, Trial},
};

/// How long a freeze and a silence last.
const TWO_LEASES: Duration = Duration::from_secs(6);
/// Nothing but renewals for so long, with jobs left: they are stuck. Longer than any handler works.
const STUCK_AFTER: Duration = Duration::from_secs(11);
/// The longest that all jobs may take after the last fault.
const HEALED_WITHIN: Duration = Duration::from_secs(150);
/// Within this time sessions of processes that are gone must be gone too.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// Sessions of a worker: eight loops, a listener, a notifier, and a pool of four.
pub(crate) const SESSIONS: i64 = 16;
/// The same with a mistake in the engine, which may keep jobs going for ever.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);
/// How long the disk stays full.
const FULL_FOR: Duration = Duration::from_secs(4);

/// A fault that ends by itself.
pub(crate) enum Undo {
    Thaw(String),
    Speak(String, bool),
    Hurry(String),
    FreeDisk,
}

/// A trial under way.
pub(crate) struct Course<'a> {
    pub(crate) trial: &'a Trial<'a>,
    pub(crate) fleet: Fleet,
    pub(crate) enqueuer: Process,
    pub(crate) enqueuer_wire: Proxy,
    pub(crate) database: PgConnectOptions,
    pub(crate) conn: Option<PgConnection>,
    pub(crate) notifier: Notifier,
    pub(crate) audit: Audit,
    pub(crate) random: StdRng,
    pub(crate) undo: Vec<(Instant, Undo)>,
    pub(crate) done: BTreeMap<String, usize>,
    pub(crate) died: usize,
    pub(crate) ballast: Option<PathBuf>,
}

impl Course<'_> {
    /// Does the row's faults while there is work.
    pub(crate) async fn suffer(&mut self) -> Result<()> {
        let row = self.trial.row;
        let (from, to) = row.every;
        let mut left = self.trial.times();
        // The first comes when jobs have begun.
        self.until_busy().await?;
        self.fleet.count_descriptors();
        let mut next = Instant::now();
        while left > 0 {
            self.tend().await?;
            if Instant::now() >= next {
                let fault = row.faults[self.random.random_range(0..row.faults.len())];
                let pause = self.random.random_range(from..to);
                if !self.has_work().await {
                    break;
                }
                if self.inflict(fault).await? {
                    *self.done.entry(format!("{fault:?}")).or_default() += 1;
                    left -= 1;
                }
                next = Instant::now() + Duration::from_millis(pause);
            }
            sleep(Duration::from_millis(15)).await;
        }
        // Each lasts as long as it was meant to.
        while !self.undo.is_empty() {
            self.tend().await?;
            sleep(Duration::from_millis(15)).await;
        }
        Ok(())
    }

    /// Undoes what is due, and replaces the dead.
    async fn tend(&mut self) -> Result<()> {
        let present = Instant::now();
        let due: Vec<Undo> = self
            .undo
            .extract_if(.., |(at, _)| *at <= present)
            .map(|(_, undo)| undo)
            .collect();
        for undo in due {
            self.undo_one(undo).await?;
        }
        self.died += self.fleet.look_after(&self.audit).await?;
        Ok(())
    }

    async fn undo_one(&mut self, undo: Undo) -> Result<()> {
        let post = |name: &str| self.fleet.posts.iter().position(|post| post.name == name);
        match undo {
            Undo::Thaw(name) => {
                if let Some(at) = post(&name) {
                    self.fleet.signal(at, Signal::SIGCONT);
                }
            }
            Undo::Speak(name, cut) => {
                if let Some(at) = post(&name) {
                    self.fleet.posts[at].proxy.speak();
                    if cut {
                        self.fleet.posts[at].proxy.cut(None);
                    }
                }
            }
            Undo::Hurry(name) => {
                if let Some(at) = post(&name) {
                    self.fleet.posts[at].proxy.delay(Duration::ZERO);
                }
            }
            Undo::FreeDisk => {
                if let Some(ballast) = self.ballast.take() {
                    std::fs::remove_file(ballast)?;
                }
                // It may have stopped for lack of room.
                self.trial.cluster.ensure_up().await?;
            }
        }
        Ok(())
    }

    /// Does it, to a worker to whom nothing is being done. Whether there was one.
    async fn inflict(&mut self, fault: Fault) -> Result<bool> {
        let present = Instant::now();
        let free: Vec<usize> = (0..self.fleet.posts.len())
            .filter(|&at| {
                self.fleet.posts[at]
                    .busy_until
                    .is_none_or(|until| until < present)
            })
            .collect();
        let die = self.random.random_range(0..1_000);
        let coin = self.random.random_range(0..4);
        let Some(&at) = free.get(die % free.len().max(1)) else {
            return Ok(false);
        };
        let name = self.fleet.posts[at].name.clone();
        match fault {
            Fault::Kill => self.fleet.kill(at, &self.audit).await?,
            Fault::Terminate => self.fleet.terminate(at).await?,
            Fault::Freeze => {
                self.note(Some(&name), "freeze", TWO_LEASES);
                self.fleet.signal(at, Signal::SIGSTOP);
                self.occupy(at, TWO_LEASES, Undo::Thaw(name));
            }
            Fault::Silence | Fault::SilenceLoop => {
                let loops = [
                    "millrace-ack",
                    "millrace-lease",
                    "millrace-claim",
                    "handlers",
                ];
                let class = (fault == Fault::SilenceLoop).then_some(loops[coin]);
                self.note(Some(&name), "silence", TWO_LEASES);
                self.fleet.posts[at].proxy.silence(class);
                self.occupy(at, TWO_LEASES, Undo::Speak(name, coin == 0));
            }
            Fault::Delay => {
                self.note(Some(&name), "delay", Duration::from_secs(2));
                self.fleet.posts[at].proxy.delay(Duration::from_millis(40));
                self.occupy(at, Duration::from_secs(2), Undo::Hurry(name));
            }
            Fault::Cut => {
                let classes = [
                    None,
                    Some("millrace-ack"),
                    Some("millrace-claim"),
                    Some("handlers"),
                ];
                if die < 200 {
                    self.enqueuer_wire.cut(None);
                } else {
                    self.note(Some(&name), "cut", Duration::from_secs(1));
                    self.fleet.posts[at].proxy.cut(classes[coin]);
                }
            }
            Fault::LoseClaim | Fault::LoseAck | Fault::LoseCommit => {
                self.note(Some(&name), "lose", Duration::from_secs(2));
                self.fleet.posts[at].proxy.lose(match fault {
                    Fault::LoseClaim => "run_no = run_no + 1",
                    Fault::LoseAck => "_jobs($1, $2", // `complete_jobs` and `end_jobs`
                    _ => "COMMIT",
                });
            }
            Fault::LoseEnqueue => self.enqueuer_wire.lose("COMMIT"),
            Fault::CrashDatabase => {
                let began = now();
                self.conn = None;
                self.trial.cluster.crash_and_restart().await?;
                let took = now() - began;
                self.note(None, "database", Duration::ZERO);
                self.audit.write(Fact::Stalled { ms: took / 1000 });
            }
            Fault::Cancel => return self.cancel().await,
            Fault::FillDisk => {
                if self.ballast.is_some() {
                    return Ok(false);
                }
                self.note(None, "disk", FULL_FOR + LEASE);
                self.ballast = Some(self.trial.cluster.fill_disk()?);
                self.undo.push((Instant::now() + FULL_FOR, Undo::FreeDisk));
            }
        }
        Ok(true)
    }

    fn occupy(&mut self, at: usize, time: Duration, undo: Undo) {
        let end = Instant::now() + time;
        // A while longer, so that it is seen to come back.
        self.fleet.posts[at].busy_until = Some(end + LEASE);
        self.undo.push((end, undo));
    }

    fn note(&self, to: Option<&str>, what: &str, lasts: Duration) {
        self.audit.write(Fact::Fault {
            to: to.map(str::to_owned),
            what: what.to_owned(),
            until: now() + i64::try_from(lasts.as_micros()).unwrap_or(0),
        });
    }

    async fn cancel(&mut self) -> Result<bool> {
        let notifier = self.notifier.clone();
        let conn = self.connection().await?;
        let jobs: Vec<Uuid> = sqlx::query_scalar(
            "select id from queue.job where cancel_requested_at is null order by state <> 'running', random() limit 3",
        )
        .fetch_all(&mut *conn)
        .await?;
        for job in &jobs {
            let mut tx = conn.begin().await?;
            let answer = request_cancel(&mut tx, JobId(*job), "the trial says so").await?;
            tx.commit().await?;
            answer.wake.fire(&notifier);
        }
        for job in &jobs {
            self.audit.write(Fact::CancelAsked { job: *job });
        }
        Ok(!jobs.is_empty())
    }

    async fn connection(&mut self) -> Result<&mut PgConnection> {
        if self.conn.is_none() {
            self.conn = Some(self.database.connect().await?);
        }
        self.conn.as_mut().context("just made")
    }

    /// How many jobs are live, and how much has happened to jobs. Nothing when the database does not answer.
    async fn pulse(&mut self) -> Option<(i64, i64)> {
        let look = async {
            let conn = self.connection().await?;
            let pulse: (i64, i64) = sqlx::query_as(
                "select (select count(*) from queue.job),
                        (select count(*) from faults.change where old_state is distinct from new_state)",
            )
            .fetch_one(conn)
            .await?;
            anyhow::Ok(pulse)
        };
        let pulse = timeout(Duration::from_secs(5), look).await;
        let pulse = pulse.ok().and_then(Result::ok);
        if pulse.is_none() {
            self.conn = None;
        }
        pulse
    }

    /// Whether somebody still enqueues, or jobs are left.
    async fn has_work(&mut self) -> bool {
        let enqueuing = matches!(self.enqueuer.ended(), Ok(None));
        enqueuing || self.pulse().await.is_none_or(|(live, _)| live > 0)
    }

    /// Waits until jobs have been claimed.
    async fn until_busy(&mut self) -> Result<()> {
        let deadline = Instant::now() + HEALED_WITHIN;
        while Instant::now() < deadline {
            self.tend().await?;
            if self
                .pulse()
                .await
                .is_some_and(|(live, changes)| changes > live)
            {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("nothing was claimed; see the logs of the workers")
    }

    /// Mends the wires and waits until every job has ended, or is seen to be stuck. Returns what nobody should have to
    /// complain of.
    pub(crate) async fn heal(&mut self) -> Result<Vec<String>> {
        for post in &self.fleet.posts {
            post.proxy.heal();
        }
        self.enqueuer_wire.heal();
        let patience = match self.trial.mistake {
            Some(_) => SHOWN_WITHIN,
            None => HEALED_WITHIN,
        };
        let deadline = Instant::now() + patience;
        let mut complaints = Vec::new();
        let (mut last, mut moved) = ((-1, -1), Instant::now());
        loop {
            self.tend().await?;
            let enqueued = self.enqueuer.ended()?;
            if let Some(pulse) = self.pulse().await {
                if pulse.0 == 0 && enqueued.is_some() {
                    break;
                }
                if enqueued.is_none() || pulse != last {
                    (last, moved) = (pulse, Instant::now());
                }
            }
            // Clients that find every key taken change nothing.
            if enqueued.is_some() && moved.elapsed() > STUCK_AFTER || Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(60)).await;
        }
        let lost = self.fleet.posts.iter().map(|post| post.proxy.lost());
        let lost = lost.sum::<usize>() + self.enqueuer_wire.lost();
        if lost > 0 {
            self.done.insert("AnswerLost".to_owned(), lost);
        }
        match self.enqueuer.ended()? {
            Some(status) if status.success() => {}
            Some(status) => complaints.push(format!("the enqueuer: {status}")),
            None => complaints.push("the enqueuer is stuck".to_owned()),
        }
        Ok(complaints)
    }

    /// What each worker holds, after handlers had time to let go.
    pub(crate) async fn census(&mut self) -> Result<Vec<Holding>> {
        let workers = i64::try_from(self.fleet.posts.len()).unwrap_or(1).max(1);
        let deadline = Instant::now() + GONE_WITHIN;
        // Sessions do not show whose they are, so an average has to do. Those of leavers take their time to go.
        let average = loop {
            self.tend().await?;
            let conn = self.connection().await?;
            let sessions: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                  where datname = current_database()
                    and (application_name like 'millrace-%' or application_name = 'handlers')",
            )
            .fetch_one(conn)
            .await?;
            if sessions <= SESSIONS * workers || Instant::now() > deadline {
                break sessions / workers;
            }
            sleep(Duration::from_millis(100)).await;
        };
        let mut holdings = self.fleet.holdings();
        for holding in &mut holdings {
            holding.sessions = average;
        }
        Ok(holdings)
    }
}
