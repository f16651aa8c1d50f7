//! The rows of the fault matrix.

use crate::{load::Mix, pooler, skew};

/// Something that is done to a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of a worker.
    Kill,
    /// SIGTERM of a worker, with its deadline to drain.
    Terminate,
    /// SIGSTOP of a worker for two leases, then SIGCONT.
    Freeze,
    /// `pg_ctl stop -m immediate`, and a start.
    CrashDatabase,
    /// All or some connections of a worker or the enqueuer break.
    Cut,
    /// The next answer to a claim is lost, though the claim is done.
    LoseClaim,
    /// The same with a batch of answers.
    LoseAck,
    /// The same with the commit of an effect.
    LoseCommit,
    /// The same with the commit of an enqueue.
    LoseEnqueue,
    /// All connections of a worker go silent for two leases; what was said arrives late.
    Silence,
    /// One loop's connections go silent for two leases.
    SilenceLoop,
    /// A worker's wire is slow for a while.
    Delay,
    /// Some jobs are cancelled, running or not.
    Cancel,
    /// The disk of the database is full for a while.
    FillDisk,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub mix: Mix,
    /// Jobs of each of the clients, about.
    pub jobs: u64,
    pub clients: u64,
    /// Between two transactions of a client, in milliseconds.
    pub pause: u64,
    pub workers: usize,
    pub faults: &'static [Fault],
    /// At most so many.
    pub times: usize,
    /// Between two of them, in milliseconds.
    pub every: (u64, u64),
    /// NOTIFY reaches nobody.
    pub deaf: bool,
    /// A session holds its snapshot all the while.
    pub held_snapshot: bool,
    /// The clocks of workers are ten minutes ahead or behind.
    pub skewed: bool,
    /// Each worker reaches the database by a PgBouncer.
    pub pooled: bool,
    /// The chance that a change by a worker fails with each of these codes.
    pub errors: &'static [(&'static str, f64)],
}

impl Row {
    /// Whether it does something to the whole cluster, which it then must have for itself.
    pub fn needs_own_cluster(&self) -> bool {
        let of_cluster = [Fault::CrashDatabase, Fault::FillDisk];
        self.faults.iter().any(|fault| of_cluster.contains(fault))
    }

    /// What it needs and is not installed.
    pub fn lacks(&self) -> Option<&'static str> {
        if self.skewed && skew::library().is_none() {
            return Some("libfaketime");
        }
        (self.pooled && pooler::program().is_none()).then_some("PgBouncer")
    }

    /// Whether its cluster must be on a disk of its own.
    pub fn needs_own_disk(&self) -> bool {
        self.faults.contains(&Fault::FillDisk)
    }
}

const CALM: Row = Row {
    name: "calm",
    mix: Mix::Mixed,
    jobs: 60,
    clients: 4,
    pause: 20,
    workers: 3,
    faults: &[],
    times: 0,
    every: (200, 800),
    deaf: false,
    held_snapshot: false,
    skewed: false,
    pooled: false,
    errors: &[],
};

/// All rows.
pub const ROWS: &[Row] = &[
    CALM,
    Row {
        name: "slow",
        mix: Mix::Slow,
        jobs: 12,
        ..CALM
    },
    Row {
        name: "kill",
        jobs: 400,
        workers: 4,
        faults: &[Fault::Kill],
        times: 40,
        ..CALM
    },
    Row {
        name: "drain",
        mix: Mix::Slow,
        jobs: 30,
        faults: &[Fault::Terminate],
        times: 12,
        every: (400, 1_200),
        ..CALM
    },
    Row {
        name: "freeze",
        mix: Mix::Slow,
        jobs: 50,
        pause: 100,
        faults: &[Fault::Freeze],
        times: 12,
        every: (500, 2_500),
        ..CALM
    },
    Row {
        name: "crash_db",
        jobs: 300,
        pause: 100,
        faults: &[Fault::CrashDatabase],
        times: 6,
        every: (1_000, 3_000),
        ..CALM
    },
    Row {
        name: "lost_replies",
        jobs: 400,
        faults: &[
            Fault::LoseClaim,
            Fault::LoseAck,
            Fault::LoseCommit,
            Fault::LoseEnqueue,
        ],
        times: 80,
        every: (20, 120),
        ..CALM
    },
    Row {
        name: "resets",
        jobs: 300,
        faults: &[Fault::Cut, Fault::Delay],
        times: 60,
        every: (50, 250),
        ..CALM
    },
    Row {
        name: "black_hole",
        mix: Mix::Slow,
        jobs: 80,
        clients: 4,
        pause: 100,
        faults: &[Fault::Silence, Fault::Silence, Fault::SilenceLoop],
        times: 8,
        every: (800, 2_500),
        ..CALM
    },
    Row {
        name: "cut_off",
        mix: Mix::Long,
        // Half as many as there are places, so that what is rescued starts at once.
        jobs: 3,
        faults: &[Fault::Silence],
        times: 2,
        every: (100, 300),
        ..CALM
    },
    Row {
        name: "poison",
        mix: Mix::Poison,
        jobs: 100,
        ..CALM
    },
    Row {
        name: "malformed",
        mix: Mix::Malformed,
        jobs: 200,
        ..CALM
    },
    Row {
        name: "hungry",
        mix: Mix::Hungry,
        jobs: 100,
        ..CALM
    },
    Row {
        name: "duplicates",
        mix: Mix::Duplicates,
        jobs: 500,
        clients: 64,
        pause: 0,
        ..CALM
    },
    Row {
        name: "deaf",
        // Nothing is ever due or retried here: no clock wakes a claimer that hears nothing.
        mix: Mix::Effects,
        pause: 120,
        deaf: true,
        ..CALM
    },
    Row {
        name: "hogs",
        mix: Mix::Hogs,
        ..CALM
    },
    Row {
        name: "cancel",
        mix: Mix::Endless,
        jobs: 12,
        faults: &[Fault::Cancel],
        times: 200,
        every: (100, 300),
        ..CALM
    },
    Row {
        name: "errors",
        jobs: 100,
        errors: &[("40001", 0.04), ("40P01", 0.04)],
        ..CALM
    },
    Row {
        name: "held_snapshot",
        jobs: 300,
        held_snapshot: true,
        ..CALM
    },
    Row {
        name: "skewed",
        jobs: 150,
        faults: &[Fault::Kill, Fault::Freeze],
        times: 12,
        every: (400, 1_200),
        skewed: true,
        ..CALM
    },
    Row {
        name: "pooled",
        jobs: 300,
        faults: &[
            Fault::Kill,
            Fault::Terminate,
            Fault::Freeze,
            Fault::Cut,
            Fault::LoseClaim,
            Fault::LoseAck,
        ],
        times: 40,
        every: (300, 900),
        pooled: true,
        ..CALM
    },
    Row {
        name: "disk_full",
        jobs: 300,
        pause: 60,
        faults: &[Fault::FillDisk],
        times: 2,
        every: (2_000, 4_000),
        ..CALM
    },
    Row {
        name: "storm",
        jobs: 300,
        workers: 4,
        pause: 60,
        faults: &[
            Fault::Kill,
            Fault::Kill,
            Fault::Terminate,
            Fault::Freeze,
            Fault::CrashDatabase,
            Fault::Cut,
            Fault::LoseClaim,
            Fault::LoseAck,
            Fault::LoseCommit,
            Fault::LoseEnqueue,
            Fault::Silence,
            Fault::SilenceLoop,
            Fault::Delay,
        ],
        times: 20,
        every: (200, 1_200),
        errors: &[("40001", 0.005), ("40P01", 0.005)],
        ..CALM
    },
];

/// The row of this name.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}
