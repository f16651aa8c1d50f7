//! A run that is interrupted: people upload and watch, and at random moments something happens to the machines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Machines, Person, Worker, padded, processes, until};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{LEASE, audit, clients};

/// Workers at a time, with one slot for encoding each.
const WORKERS: usize = 3;
/// How long a long film and a short one last, and how many are made at a time: so every interruption hits work, and
/// uploads go on all the time.
const LONG: (u32, usize) = (20, 3);
const SHORT: (u32, usize) = (4, 3);
/// How long all videos may take after the last interruption.
const READY_WITHIN: Duration = Duration::from_secs(240);
/// How long a victim may take to begin to encode.
const ENCODES_WITHIN: Duration = Duration::from_secs(10);
/// A pause before an interruption, in milliseconds.
const PAUSE: std::ops::Range<u64> = 200..800;

/// What happens to the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// kill -9 of a worker.
    KillWorker,
    /// kill -9 of the api.
    KillApi,
    /// kill -9 of the S3 server.
    KillStore,
    /// SIGSTOP for longer than the lease.
    FreezeWorker,
    /// The database ends at once, as by `-m immediate`, and recovers.
    CrashDatabase,
    /// The next commit succeeds, and nobody is told.
    LoseCommit,
    /// The next object is stored, and nobody is told.
    LosePut,
    /// All connections to the database break.
    CutDatabase,
    /// All connections of servers to the store break.
    CutStore,
    /// The database does not answer for longer than the lease.
    SilenceDatabase,
    /// The store does not answer for longer than the lease.
    SilenceStore,
    /// Everything takes longer for a while.
    SlowWires,
}

/// What is done to which machines.
pub(super) struct Ordeal {
    machines: Machines,
    blows: Vec<Blow>,
    random: StdRng,
}

/// What people have in common.
struct People {
    uploader: Person,
    /// Tries that did not succeed at once.
    tries: AtomicUsize,
    /// Videos whose upload is complete, with their length in seconds.
    videos: Mutex<Vec<(String, u32)>>,
    /// No further uploads.
    enough: CancellationToken,
    /// No further looks.
    stop: CancellationToken,
}

impl Ordeal {
    /// `points` interruptions that follow from `seed`.
    pub(super) fn new(machines: Machines, points: usize, seed: u64) -> Self {
        eprintln!("{points} interruptions, MILLRACE_SEED={seed}");
        Self {
            machines,
            blows: vec![Blow::KillWorker; points],
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Draws the interruptions, each kind as often as its share says and at least once.
    pub(super) fn of(mut self, shares: &[(Blow, usize)]) -> Self {
        let whole: usize = shares.iter().map(|(_, share)| share).sum();
        let points = self.blows.len();
        let mut blows: Vec<Blow> = shares
            .iter()
            .flat_map(|(blow, share)| vec![*blow; (share * points).div_ceil(whole)])
            .collect();
        // Rounding up made a few too many, of the most frequent kind by preference.
        while blows.len() > points {
            blows.remove(0);
        }
        for at in (1..blows.len()).rev() {
            blows.swap(at, self.random.random_range(0..=at));
        }
        self.blows = blows;
        self
    }

    /// Runs it, and checks everything that must be true in the end.
    pub(super) async fn run(mut self) -> Result<()> {
        let people = Arc::new(People::gather(&self.machines).await?);
        let mut workers = Vec::new();
        for n in 0..WORKERS {
            workers.push(worker(&self.machines, n)?);
        }
        for worker in &mut workers {
            worker
                .at_work(&self.machines.db, Duration::from_secs(30))
                .await?;
        }
        let mut crowd: JoinSet<Result<String>> = JoinSet::new();
        crowd.spawn(people.clone().upload(LONG));
        crowd.spawn(people.clone().upload(SHORT));
        let tab = {
            let (person, stop) = (people.uploader.clone(), people.stop.clone());
            tokio::spawn(clients::follow(person, stop))
        };
        let begun = Instant::now();
        self.strike_all(&people, &mut workers, &mut crowd).await?;
        people.enough.cancel();
        eprintln!("the last interruption came after {:?}", begun.elapsed());

        self.all_ready(&people, &mut crowd).await?;
        people.stop.cancel();
        while let Some(done) = crowd.join_next().await {
            eprintln!("{}", done??);
        }
        let (memory, connections) = tab.await??;
        self.machines.quiet(Duration::from_secs(120)).await?;
        eprintln!(
            "{} videos after {:?}; {} tries in vain, {connections} sockets, {} frames",
            people.videos.lock().await.len(),
            begun.elapsed(),
            people.tries.load(Ordering::Relaxed),
            memory.frames,
        );
        assert!(memory.frames > 0, "the tab saw nothing");

        let videos = people.videos.lock().await.clone();
        audit::videos(&self.machines, &people.uploader, &videos).await?;
        audit::work(&self.machines, self.blows.len()).await?;
        audit::last_states(&people.uploader, &videos).await?;
        audit::leftovers(&self.machines, &mut workers).await?;
        drop(workers);
        self.machines.stop().await
    }

    async fn strike_all(
        &mut self,
        people: &People,
        workers: &mut [Worker],
        crowd: &mut JoinSet<Result<String>>,
    ) -> Result<()> {
        let begin = "somebody encodes";
        until(begin, Duration::from_secs(60), async || {
            let encodes = workers
                .iter()
                .any(|worker| !processes::encoders(worker.pid()).is_empty());
            Ok(encodes.then_some(()))
        })
        .await?;
        // When a frozen worker is woken.
        let mut frozen: Option<(usize, Instant)> = None;
        for (point, blow) in self.blows.clone().into_iter().enumerate() {
            sleep(Duration::from_millis(self.random.random_range(PAUSE))).await;
            self.machines.all_run()?;
            for worker in workers.iter_mut() {
                if let Some(status) = worker.status()? {
                    anyhow::bail!("a worker ended by itself: {status}\n{}", worker.log());
                }
            }
            while let Some(done) = crowd.try_join_next() {
                done?.context("while things happened")?;
            }
            if let Some((n, until)) = frozen
                && Instant::now() >= until
            {
                workers[n].thaw()?;
                frozen = None;
            }
            let awake: Vec<usize> = (0..WORKERS)
                .filter(|n| frozen.is_none_or(|(asleep, _)| asleep != *n))
                .collect();
            let victim = match blow {
                Blow::KillWorker | Blow::FreezeWorker => self.at_work(workers, &awake).await?,
                _ => 0,
            };
            let made = people.videos.lock().await.len();
            eprintln!("{point}: {blow:?}, {made} videos so far");
            match blow {
                Blow::FreezeWorker if frozen.is_none() => {
                    workers[victim].freeze()?;
                    frozen = Some((victim, Instant::now() + LEASE + Duration::from_secs(1)));
                }
                Blow::KillWorker | Blow::FreezeWorker => {
                    workers[victim].kill()?;
                    workers[victim] = worker(&self.machines, victim)?;
                }
                blow => self.strike(blow).await?,
            }
        }
        if let Some((n, until)) = frozen {
            tokio::time::sleep_until(until).await;
            workers[n].thaw()?;
        }
        Ok(())
    }

    /// One of the workers that encode at this moment, or any when none does for a while.
    async fn at_work(&mut self, workers: &[Worker], awake: &[usize]) -> Result<usize> {
        let end = Instant::now() + ENCODES_WITHIN;
        loop {
            let encode = |n: &&usize| !processes::encoders(workers[**n].pid()).is_empty();
            let busy: Vec<usize> = awake.iter().filter(encode).copied().collect();
            let among = if busy.is_empty() { awake } else { &busy };
            if !busy.is_empty() || Instant::now() > end {
                return Ok(among[self.random.random_range(0..among.len())]);
            }
            // Wherever in a segment it is by the next look.
            sleep(Duration::from_millis(self.random.random_range(PAUSE))).await;
        }
    }

    async fn strike(&mut self, blow: Blow) -> Result<()> {
        let machines = &mut self.machines;
        match blow {
            Blow::KillApi => return machines.replace_api(),
            Blow::KillStore => return machines.replace_store(),
            Blow::CrashDatabase => return machines.crash_database().await,
            _ => {}
        }
        let wires = machines
            .to_database
            .as_ref()
            .zip(machines.to_store.as_ref());
        let (database, store) = wires.context("these machines have no wires")?;
        let longer_than_lease = LEASE + Duration::from_millis(1_500);
        match blow {
            Blow::LoseCommit => database.lose_answer(),
            Blow::LosePut => store.lose_answer(),
            Blow::CutDatabase => database.cut(),
            Blow::CutStore => store.cut(),
            Blow::SilenceDatabase => {
                database.silence();
                sleep(longer_than_lease).await;
                database.speak();
            }
            Blow::SilenceStore => {
                store.silence();
                sleep(longer_than_lease).await;
                store.speak();
            }
            Blow::SlowWires => {
                let delay = Duration::from_millis(self.random.random_range(20..150));
                for wire in [database, store] {
                    wire.delay(delay);
                }
                sleep(Duration::from_secs(2)).await;
                for wire in [database, store] {
                    wire.delay(Duration::ZERO);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Waits until the last upload is complete and every video is ready.
    async fn all_ready(&self, people: &People, crowd: &mut JoinSet<Result<String>>) -> Result<()> {
        let ready = until("every video is ready", READY_WITHIN, async || {
            while let Some(done) = crowd.try_join_next() {
                eprintln!("{}", done??);
            }
            let failed: Vec<String> = sqlx::query_scalar(
                "select format('%s %s %s', id, error_code, error_message) from videos where status = 'failed'",
            )
            .fetch_all(&self.machines.db)
            .await?;
            anyhow::ensure!(failed.is_empty(), "videos failed: {failed:?}");
            let left: i64 =
                sqlx::query_scalar("select count(*) from videos where status <> 'ready'")
                    .fetch_one(&self.machines.db)
                    .await?;
            // Everybody has seen the end of what they watch.
            Ok((left == 0 && people.enough.is_cancelled() && crowd.is_empty()).then_some(()))
        });
        match ready.await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.machines.jobs().await?)),
        }
    }
}

impl People {
    async fn gather(machines: &Machines) -> Result<Self> {
        Ok(Self {
            uploader: Person::register_at(machines.address()).await?,
            tries: AtomicUsize::new(0),
            videos: Mutex::default(),
            enough: CancellationToken::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Uploads films of so many seconds, so many at a time, until it is enough. Each is watched from its beginning.
    async fn upload(self: Arc<Self>, (seconds, at_a_time): (u32, usize)) -> Result<String> {
        let clip = Clip::new(seconds, "640x360");
        let film = tokio::fs::read(clip.file().await?).await?;
        // One PUT, and two parts.
        let films = [padded(film.clone(), 24 * 1024 * 1024), film];
        let mut viewers: JoinSet<Result<clients::Seen>> = JoinSet::new();
        let (mut uploads, mut fetched, mut early) = (0, 0, 0);
        loop {
            while viewers.len() < at_a_time && !self.enough.is_cancelled() {
                uploads += 1;
                let title = format!("{seconds} s, number {uploads}");
                let film = &films[uploads % films.len()];
                let id = clients::upload(&self.uploader, film, &title, &self.tries).await?;
                self.videos.lock().await.push((id.clone(), seconds));
                let viewer = clients::Viewer::new(self.uploader.clone())?;
                viewers.spawn(viewer.watch(id, self.stop.clone()));
            }
            let Some(seen) = viewers.join_next().await else {
                return Ok(format!(
                    "{uploads} films of {seconds} s: {fetched} segments fetched, {early} looks before they were ready"
                ));
            };
            let seen = seen??;
            fetched += seen.fetched;
            early += seen.early;
        }
    }
}

fn worker(machines: &Machines, n: usize) -> Result<Worker> {
    let settings = [
        ("worker.queues", "media=1,default=2"),
        ("media.threads", "1"),
        ("media.preset", "medium"),
    ];
    machines.worker(&format!("worker{n}"), &[], &settings)
}
