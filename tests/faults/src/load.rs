//! The jobs that a client enqueues: the same for the same seed.

use std::time::Duration;

use clap::ValueEnum;
use millrace_queue::{JobId, Kind, NewJob, UniqueKey};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    kinds::{
        Death, Effect, Flaky, Hog, Hopeless, Hungry, Malformed, Mourn, Plain, Poison, Slow, Snooze,
        Unstorable,
    },
    record::{Expected, Intent},
};

/// What kinds of jobs a trial is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mix {
    /// Short jobs with an effect, and nothing else.
    Effects,
    /// Everything that an application does, in proportion.
    Mixed,
    /// Jobs of several seconds, some longer than a lease.
    Slow,
    /// Jobs that outlast two leases, so that a run that does not stop is seen beside the next.
    Long,
    /// Jobs that only an operator ends.
    Endless,
    /// Effects, and a few jobs that take their worker down.
    Poison,
    /// Effects, and as many jobs that cannot be decoded or whose results cannot be stored.
    Malformed,
    /// Effects, and children that want too much memory.
    Hungry,
    /// Every client enqueues the same 500 keys.
    Duplicates,
    /// Effects, and handlers that take all connections of their pool.
    Hogs,
}

/// A job, and what the checker must know of it.
pub type Wish = (NewJob, Intent);

/// One client's jobs.
#[derive(Debug)]
pub struct Load {
    random: StdRng,
    mix: Mix,
    prefix: String,
    made: u64,
    left: u64,
}

impl Load {
    /// `jobs` of `mix` for the client of this number.
    pub fn new(mix: Mix, seed: u64, client: u64, jobs: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(client)),
            mix,
            prefix: format!("{seed}.{client}"),
            made: 0,
            left: jobs,
        }
    }

    /// The jobs of the next transaction; none at the end.
    pub fn next_batch(&mut self) -> Vec<Wish> {
        if self.left == 0 {
            return Vec::new();
        }
        let size = match self.mix {
            Mix::Duplicates => 1,
            _ => self.random.random_range(1..=8).min(self.left),
        };
        self.left -= size;
        let mut batch = Vec::new();
        for _ in 0..size {
            self.add(&mut batch);
        }
        batch
    }

    fn add(&mut self, batch: &mut Vec<Wish>) {
        let die = self.random.random_range(0..100);
        match (self.mix, die) {
            (Mix::Effects, _) | (Mix::Hungry, 3..) | (Mix::Hogs, 3..) => {
                batch.push(self.effect(20));
            }
            (Mix::Mixed, _) => self.add_mixed(die, batch),
            (Mix::Slow, 0..30) => batch.push(self.effect(20)),
            (Mix::Slow, _) => {
                let ms = self.random.random_range(500..6_000);
                batch.push(wish(&Slow { ms }, None, Expected::Completed));
            }
            (Mix::Long, _) => {
                let ms = self.random.random_range(7_000..9_000);
                batch.push(wish(&Slow { ms }, None, Expected::Completed));
            }
            (Mix::Endless, _) => {
                let ms = 15_000;
                batch.push(wish(&Slow { ms }, None, Expected::Cancelled));
            }
            (Mix::Poison, 0..3) => {
                let how = [Death::Abort, Death::Segv, Death::Stack, Death::Exit]
                    [self.random.random_range(0..4)];
                let (job, mut intent) = wish(&Poison { how }, None, Expected::Quarantined);
                if self.random.random_range(0..3) > 0 {
                    batch.push((job, intent));
                } else {
                    // Its attempts are spent before its crashes are.
                    intent.expected = Expected::Discarded;
                    batch.push((job.max_attempts(2).max_crashes(9), intent));
                }
            }
            (Mix::Poison, _) => batch.push(self.effect(10)),
            (Mix::Malformed, 0..45) => {
                let key = vec![1, 2, 3];
                batch.push(wish(&Malformed { key }, None, Expected::Discarded));
            }
            (Mix::Malformed, 45..50) => {
                batch.push(wish(&Unstorable {}, None, Expected::Discarded));
            }
            (Mix::Malformed, _) => batch.push(self.effect(10)),
            (Mix::Hungry, _) => batch.push(wish(&Hungry {}, None, Expected::Discarded)),
            (Mix::Hogs, _) => batch.push(wish(&Hog { ms: 4_000 }, None, Expected::Completed)),
            (Mix::Duplicates, _) => {
                let (mut job, mut intent) = self.effect(5);
                let key = format!("p:{}", self.made % 500);
                job = job.unique(UniqueKey::for_period(&key, Duration::from_secs(3600)));
                intent.unique = Some(key);
                batch.push((job, intent));
            }
        }
    }

    fn add_mixed(&mut self, die: u32, batch: &mut Vec<Wish>) {
        match die {
            0..29 => batch.push(self.effect(40)),
            29..40 => batch.push(self.serial()),
            40..52 => {
                // Some complete with their effect, some are answered for, some fail: keys are released in three places.
                let (job, mut intent) = match self.random.random_range(0..5) {
                    0..2 => self.effect(20),
                    2..4 => self.plain(20),
                    _ => wish(&Hopeless {}, None, Expected::Discarded),
                };
                let key = format!("u:{}", self.random.random_range(0..25));
                intent.unique = Some(key.clone());
                batch.push((job.unique(UniqueKey::until_done(key)), intent));
            }
            52..62 => batch.push(self.plain(40)),
            62..70 => {
                let times = self.random.random_range(1..3);
                batch.push(wish(&Flaky { times }, None, Expected::Completed));
            }
            70..76 => {
                let times = self.random.random_range(1..3);
                batch.push(wish(&Snooze { times }, None, Expected::Completed));
            }
            76..80 => {
                let ms = self.random.random_range(200..4_500);
                batch.push(wish(&Slow { ms }, None, Expected::Completed));
            }
            80..84 => {
                let (job, intent) = self.effect(10);
                let delay = Duration::from_millis(self.random.random_range(300..1_500));
                batch.push((job.delay(delay), intent));
            }
            84..89 => self.add_chain(batch),
            89..95 => self.add_fan(batch),
            _ => self.add_hopeless(batch),
        }
    }

    /// Three runs, one after the other.
    fn add_chain(&mut self, batch: &mut Vec<Wish>) {
        let word = self.key();
        let mut before: Option<JobId> = None;
        for _ in 0..3 {
            let key = self.key();
            let link = Effect {
                key: key.clone(),
                ms: self.random.random_range(0..30),
                serial: Some(word.clone()),
            };
            let (mut job, mut intent) = wish(&link, Some(key), Expected::Completed);
            if let Some(parent) = before {
                job = job.after(&[parent]);
                intent.parents.push(parent.0);
            }
            before = Some(job.id());
            batch.push((job, intent));
        }
    }

    /// Three parents and the child that waits for all of them.
    fn add_fan(&mut self, batch: &mut Vec<Wish>) {
        let (mut child, mut intent) = self.effect(10);
        for n in 0..3 {
            let parent = if n == 0 {
                self.plain(250)
            } else {
                self.effect(250)
            };
            child = child.after(&[parent.0.id()]);
            intent.parents.push(parent.1.job);
            batch.push(parent);
        }
        batch.push((child, intent));
    }

    /// A job that fails for good, what it leaves behind, and what had waited for it in vain.
    fn add_hopeless(&mut self, batch: &mut Vec<Wish>) {
        let (job, mut intent) = wish(&Hopeless {}, None, Expected::Discarded);
        let job = job.on_failure(NewJob::new(&Mourn { failure: None }));
        intent.on_failure = true;
        let (child, mut orphan) = wish(&Slow { ms: 1 }, None, Expected::Cancelled);
        orphan.parents.push(intent.job);
        let child = child.after(&[job.id()]);
        batch.push((job, intent));
        batch.push((child, orphan));
    }

    fn effect(&mut self, longest: u64) -> Wish {
        let key = self.key();
        let effect = Effect {
            key: key.clone(),
            ms: self.random.random_range(0..=longest),
            serial: None,
        };
        wish(&effect, Some(key), Expected::Completed)
    }

    fn plain(&mut self, longest: u64) -> Wish {
        let key = self.key();
        let plain = Plain {
            key: key.clone(),
            ms: self.random.random_range(0..=longest),
        };
        wish(&plain, Some(key), Expected::Completed)
    }

    /// One of those that run one at a time by their limit key, whoever enqueued them.
    fn serial(&mut self) -> Wish {
        let key = self.key();
        let word = format!("serial-{}", self.random.random_range(0..3));
        let effect = Effect {
            key: key.clone(),
            ms: self.random.random_range(20..=60),
            serial: Some(word.clone()),
        };
        let (job, intent) = wish(&effect, Some(key), Expected::Completed);
        (job.limit_key(word), intent)
    }

    fn key(&mut self) -> String {
        self.made += 1;
        format!("{}.{}", self.prefix, self.made)
    }
}

fn wish<K: Kind>(kind: &K, effect: Option<String>, expected: Expected) -> Wish {
    let job = NewJob::new(kind);
    let intent = Intent {
        job: job.id().0,
        kind: K::KIND.to_owned(),
        unique: None,
        effect,
        parents: Vec::new(),
        on_failure: false,
        expected,
    };
    (job, intent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(seed: u64) -> Vec<(String, Option<String>)> {
        let mut load = Load::new(Mix::Mixed, seed, 3, 60);
        let mut shape = Vec::new();
        loop {
            let batch = load.next_batch();
            if batch.is_empty() {
                return shape;
            }
            shape.extend(batch.into_iter().map(|(_, i)| (i.kind, i.effect)));
        }
    }

    #[test]
    fn a_seed_makes_the_same_jobs() {
        assert_eq!(shape(7), shape(7));
        assert_ne!(shape(7), shape(8));
        assert!(shape(7).len() >= 60);
    }
}
