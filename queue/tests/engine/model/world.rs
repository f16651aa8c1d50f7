//! The queue as it should be: the rules of the lifecycle, without a database.

use std::collections::{BTreeMap, HashMap};

use millrace_queue::State;
use uuid::Uuid;

use super::action::{Ask, DELAY, KEYS, KINDS, LEASE, MOST, PERIOD, QUEUES, UNIQUE, Wish};

/// A job as it should be.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: Uuid,
    pub(super) kind: usize,
    pub(super) queue: usize,
    pub(super) key: Option<usize>,
    pub(super) unique: Option<usize>,
    pub(super) n: i64,
    pub(super) priority: i16,
    pub(super) state: State,
    pub(super) run_at: u64,
    pub(super) created_at: u64,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
    pub(super) crashes: i32,
    pub(super) max_crashes: i32,
    pub(super) run_no: i32,
    pub(super) token: Option<Uuid>,
    pub(super) lease_until: u64,
    pub(super) cancelling: bool,
    /// Parents that have not ended, and whether their outcome is ignored.
    pub(super) parents: Vec<(usize, bool)>,
    /// Tokens that are good for nothing any more.
    pub(super) lost: Vec<Uuid>,
}

/// What the call says of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) id: Uuid,
    pub(super) new: bool,
    pub(super) replaced: bool,
}

#[derive(Debug, Default)]
pub(super) struct World {
    /// Minutes.
    pub(super) now: u64,
    pub(super) jobs: Vec<Job>,
    /// Who holds a unique key, and until when if not until its end.
    pub(super) keys: BTreeMap<usize, (usize, Option<u64>)>,
    /// Starts by limit key.
    starts: Vec<(usize, u64)>,
    pub(super) paused_queues: [bool; 2],
    pub(super) paused_kinds: [bool; 2],
    pub(super) most_of_queue: [Option<u32>; 2],
    pub(super) most_of_kind: [Option<u32>; 2],
}

impl World {
    pub(super) fn at(&self, id: Uuid) -> Option<usize> {
        self.jobs.iter().position(|job| job.id == id)
    }

    /// The places of the jobs that are so.
    pub(super) fn all(&self, is: impl Fn(&Job) -> bool) -> Vec<usize> {
        (0..self.jobs.len())
            .filter(|&n| is(&self.jobs[n]))
            .collect()
    }

    fn running(&self, is: impl Fn(&Job) -> bool) -> u32 {
        let count = self.all(|job| job.state == State::Running && is(job)).len();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Inserts jobs that have these ids; `parents` are the places of those that their wishes name.
    pub(super) fn enqueue(&mut self, wishes: &[Wish], ids: &[Uuid], n: i64) -> Vec<Placed> {
        // What stands for a job: itself, or the holder of its key.
        let mut stands: Vec<usize> = Vec::new();
        let mut placed = Vec::new();
        let mut first: HashMap<usize, usize> = HashMap::new();
        let before = self.jobs.len();
        let mut new: Vec<Job> = Vec::new();
        for (i, wish) in wishes.iter().enumerate() {
            let place = before + new.len();
            let (holder, replaced) = match wish.unique {
                Some((key, _)) if first.contains_key(&key) => (stands[first[&key]], false),
                Some((key, ask)) => {
                    first.insert(key, i);
                    self.settle(key, ask, place, wish, n + i as i64)
                }
                None => (place, false),
            };
            stands.push(holder);
            if holder == place {
                new.push(self.job(wish, ids[i], n + i as i64));
            }
            let id = if holder < before {
                self.jobs[holder].id
            } else {
                new[holder - before].id
            };
            placed.push(Placed {
                id,
                new: holder == place,
                replaced,
            });
        }
        self.jobs.extend(new);
        let mut orphans = Vec::new();
        for (i, wish) in wishes.iter().enumerate() {
            let place = stands[i];
            if !placed[i].new {
                continue;
            }
            let mut parents: Vec<(usize, bool)> = Vec::new();
            if let Some((index, ignore)) = wish.parent.filter(|_| before > 0) {
                parents.push((index.index(before), ignore));
            }
            if wish.chained && i > 0 {
                parents.push((stands[i - 1], false));
            }
            parents.sort_unstable();
            parents.dedup_by_key(|parent| parent.0);
            for (parent, ignore) in parents {
                let state = self.jobs[parent].state;
                if !state.is_terminal() {
                    self.jobs[place].parents.push((parent, ignore));
                } else if state != State::Completed && !ignore {
                    orphans.push(place);
                }
            }
            self.rest(place);
        }
        for orphan in orphans {
            self.end(&[(orphan, State::Cancelled)]);
        }
        placed
    }

    fn job(&self, wish: &Wish, id: Uuid, n: i64) -> Job {
        Job {
            id,
            kind: wish.kind,
            queue: wish.queue,
            key: wish.key,
            unique: wish.unique.map(|unique| unique.0),
            n,
            priority: wish.priority,
            state: State::Available,
            run_at: self.now + if wish.delayed { DELAY } else { 0 },
            created_at: self.now,
            attempt: 0,
            max_attempts: wish.max_attempts.into(),
            crashes: 0,
            max_crashes: wish.max_crashes.into(),
            run_no: 0,
            token: None,
            lease_until: 0,
            cancelling: false,
            parents: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// Who has the key from now on, and whether that one takes over what the new job would have done.
    fn settle(&mut self, key: usize, ask: Ask, place: usize, wish: &Wish, n: i64) -> (usize, bool) {
        let until = (ask == Ask::Period).then_some(self.now + PERIOD);
        let held = self.keys.get(&key).copied();
        let held = held.filter(|(_, until)| until.is_none_or(|until| until > self.now));
        let Some((holder, was)) = held else {
            self.keys.insert(key, (place, until));
            return (place, false);
        };
        let now = self.now;
        // The first of this very call is not there yet; nobody else of the call asks.
        let job = &mut self.jobs[holder];
        if ask == Ask::WhileAvailable && job.state != State::Available {
            self.keys.insert(key, (place, None));
            return (place, false);
        }
        if !matches!(ask, Ask::Replace | Ask::Debounce) || job.state.is_terminal() {
            return (holder, false);
        }
        if job.state == State::Running {
            self.keys.insert(key, (place, was));
            return (place, false);
        }
        job.n = n;
        job.priority = wish.priority;
        job.max_attempts = wish.max_attempts.into();
        job.attempt = 0;
        job.run_at = now + if wish.delayed { DELAY } else { 0 };
        if ask == Ask::Debounce {
            job.run_at = job.run_at.min(job.created_at + MOST);
        }
        self.rest(holder);
        (holder, true)
    }

    /// The state of a job that nobody runs and that has not failed.
    fn rest(&mut self, place: usize) {
        let job = &mut self.jobs[place];
        job.state = if !job.parents.is_empty() {
            State::Waiting
        } else if job.run_at > self.now {
            State::Scheduled
        } else {
            State::Available
        };
    }

    /// Ends jobs, lets go of their keys, frees or cancels what waits for them.
    pub(super) fn end(&mut self, jobs: &[(usize, State)]) {
        let mut ending = jobs.to_vec();
        while let Some((place, state)) = ending.pop() {
            let job = &mut self.jobs[place];
            if job.state.is_terminal() {
                continue;
            }
            job.state = state;
            job.parents.clear();
            job.lost.extend(job.token.take());
            self.keys
                .retain(|_, (holder, until)| *holder != place || until.is_some());
            for child in 0..self.jobs.len() {
                let parents = &mut self.jobs[child].parents;
                let Some(edge) = parents.iter().position(|parent| parent.0 == place) else {
                    continue;
                };
                let (_, ignore) = parents.remove(edge);
                if state != State::Completed && !ignore {
                    ending.push((child, State::Cancelled));
                } else if self.jobs[child].parents.is_empty() {
                    // Should another parent of the same step cancel it, that is still to come.
                    self.rest(child);
                }
            }
        }
    }

    /// A running job goes back to wait, unless somebody wants it cancelled.
    pub(super) fn put_back(&mut self, place: usize, state: State, refund: bool) {
        if self.jobs[place].cancelling {
            self.end(&[(place, State::Cancelled)]);
            return;
        }
        let now = self.now;
        let job = &mut self.jobs[place];
        job.state = state;
        job.lost.extend(job.token.take());
        job.attempt -= i32::from(refund);
        if state != State::Available {
            job.run_at = now + DELAY;
        }
    }

    pub(super) fn cancel(&mut self, place: usize) {
        match self.jobs[place].state {
            State::Running => self.jobs[place].cancelling = true,
            _ => self.end(&[(place, State::Cancelled)]),
        }
    }

    /// Whether it was run again.
    pub(super) fn retry(&mut self, place: usize) -> bool {
        let now = self.now;
        let (state, unique) = (self.jobs[place].state, self.jobs[place].unique);
        match state {
            State::Scheduled | State::Retryable => {}
            State::Cancelled | State::Discarded | State::Quarantined => {
                if let Some(key) = unique {
                    let held = self.keys.get(&key);
                    let held = held.filter(|(_, until)| until.is_none_or(|until| until > now));
                    match held {
                        Some((holder, _)) if *holder != place => return false,
                        Some(_) => {}
                        None => {
                            self.keys.insert(key, (place, None));
                        }
                    }
                }
                let job = &mut self.jobs[place];
                (job.attempt, job.crashes, job.cancelling) = (0, 0, false);
            }
            _ => return false,
        }
        let job = &mut self.jobs[place];
        job.state = State::Available;
        job.run_at = now;
        true
    }

    pub(super) fn rescue(&mut self) {
        let mut ended = Vec::new();
        for place in 0..self.jobs.len() {
            let now = self.now;
            let job = &mut self.jobs[place];
            if job.state != State::Running || job.lease_until > now {
                continue;
            }
            job.crashes += 1;
            if job.cancelling {
                ended.push((place, State::Cancelled));
            } else if job.crashes >= job.max_crashes {
                ended.push((place, State::Quarantined));
            } else if job.attempt >= job.max_attempts {
                ended.push((place, State::Discarded));
            } else {
                job.state = State::Available;
                job.lost.extend(job.token.take());
            }
        }
        self.end(&ended);
    }

    pub(super) fn promote(&mut self) {
        let now = self.now;
        for job in &mut self.jobs {
            if matches!(job.state, State::Scheduled | State::Retryable) && job.run_at <= now {
                job.state = State::Available;
            }
        }
    }

    /// Why the job must not be claimed now, if it must not.
    pub(super) fn refusal(&self, place: usize) -> Option<String> {
        let job = &self.jobs[place];
        let (kind, queue) = (job.kind, job.queue);
        if job.state != State::Available {
            return Some(format!("it is {}", job.state));
        }
        if self.paused_queues[queue] || self.paused_kinds[kind] {
            return Some("it is paused".to_owned());
        }
        let full = |most: Option<u32>, running: u32| most.is_some_and(|most| running >= most);
        if full(
            self.most_of_queue[queue],
            self.running(|other| other.queue == queue),
        ) {
            return Some(format!("the queue {} is full", QUEUES[queue]));
        }
        if full(
            self.most_of_kind[kind],
            self.running(|other| other.kind == kind),
        ) {
            return Some(format!("the kind {} is full", KINDS[kind]));
        }
        let key = job.key?;
        let running = self.running(|other| other.key == Some(key));
        let recent = self
            .starts
            .iter()
            .filter(|(k, at)| *k == key && at + PERIOD > self.now);
        let closed = match key {
            0 => running >= 1,
            1 => running >= 2,
            _ => recent.count() >= 2,
        };
        closed.then(|| format!("the key {} is closed", KEYS[key]))
    }

    pub(super) fn claim(&mut self, place: usize, token: Uuid) {
        let now = self.now;
        let job = &mut self.jobs[place];
        job.state = State::Running;
        job.attempt += 1;
        job.run_no += 1;
        job.token = Some(token);
        job.lease_until = now + LEASE;
        if let Some(key) = job.key {
            self.starts.push((key, now));
        }
    }

    /// The names of the keys that are held, and by whom. Those that have expired may be there or not.
    pub(super) fn held(&self) -> BTreeMap<&'static str, Uuid> {
        let held = self.keys.iter();
        let held = held.filter(|(_, (_, until))| until.is_none_or(|until| until > self.now));
        held.map(|(&key, (holder, _))| (UNIQUE[key], self.jobs[*holder].id))
            .collect()
    }
}
