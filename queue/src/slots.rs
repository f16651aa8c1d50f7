//! The free places of each queue, and the bell that rings when one of them may be filled.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::fetch::BATCH;

/// Between two claims, or two acknowledgements, of few jobs: then they come together. A worker with 50 places for jobs of
/// 5 ms otherwise claims them one to five at a time, at a quarter of the speed that the server could serve.
pub(crate) const PACE: Duration = Duration::from_millis(4);

/// What follows the name of a queue whose news are of jobs behind gates.
const GATED: char = '*';

fn name(news: &str) -> &str {
    news.trim_end_matches(GATED)
}

/// One queue of this process.
#[derive(Debug)]
pub(crate) struct QueueSlots {
    pub(crate) name: String,
    pub(crate) total: usize,
    used: AtomicUsize,
    /// There may be work that is not claimed. Set before the bell rings and cleared before the claim, so that a wake
    /// during a claim is never swallowed.
    ready: AtomicBool,
    /// The same of jobs behind gates, which are claimed by another statement.
    gated: AtomicBool,
    /// Nothing is claimed, whatever is free.
    held: AtomicBool,
}

/// All queues of this process.
#[derive(Debug)]
pub(crate) struct Slots {
    queues: HashMap<String, Arc<QueueSlots>>,
    /// Something is due soon.
    clock: AtomicBool,
    bell: Notify,
    /// Rung when a queue is held or released.
    holds: Notify,
}

/// Keeps a worker from claiming for some of its queues, while something that their jobs need is short on its machine.
/// Running jobs go on, and other workers claim. It ends with the process.
#[derive(Debug, Clone)]
pub struct Holds {
    slots: Arc<Slots>,
}

impl Holds {
    pub(crate) fn new(slots: Arc<Slots>) -> Self {
        Self { slots }
    }

    /// Claims nothing more for `queue`. What is being claimed at this moment still comes.
    pub fn hold(&self, queue: &str) {
        if let Some(slots) = self.slots.queues.get(queue) {
            slots.held.store(true, Ordering::SeqCst);
            self.slots.holds.notify_one();
        }
    }

    /// Claims for `queue` again, at once.
    pub fn release(&self, queue: &str) {
        if let Some(slots) = self.slots.queues.get(queue) {
            slots.held.store(false, Ordering::SeqCst);
            self.slots.holds.notify_one();
            self.slots.wake(queue);
        }
    }
}

/// A place in use; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Slot {
    queue: Arc<QueueSlots>,
    slots: Arc<Slots>,
}

impl Slots {
    pub(crate) fn new(queues: &[(String, usize)]) -> Arc<Self> {
        let queues = queues
            .iter()
            .map(|(name, total)| {
                let slots = QueueSlots {
                    name: name.clone(),
                    total: *total,
                    used: AtomicUsize::new(0),
                    ready: AtomicBool::new(true),
                    gated: AtomicBool::new(true),
                    held: AtomicBool::new(false),
                };
                (name.clone(), Arc::new(slots))
            })
            .collect();
        Arc::new(Self {
            queues,
            clock: AtomicBool::new(true),
            bell: Notify::new(),
            holds: Notify::new(),
        })
    }

    /// There may be work in a queue. `news` is its name, with a [`GATED`] mark when the work is behind a gate; the empty
    /// name says that something is due soon.
    pub(crate) fn wake(&self, news: &str) {
        if news.is_empty() {
            self.clock.store(true, Ordering::SeqCst);
            self.bell.notify_one();
        } else if let Some(slots) = self.queues.get(name(news)) {
            let flag = if news.ends_with(GATED) {
                &slots.gated
            } else {
                &slots.ready
            };
            flag.store(true, Ordering::SeqCst);
            self.bell.notify_one();
        }
    }

    /// There may be work behind the gates of `queue`.
    pub(crate) fn wake_gated(&self, queue: &str) {
        if let Some(slots) = self.queues.get(queue) {
            slots.gated.store(true, Ordering::SeqCst);
            self.bell.notify_one();
        }
    }

    /// There may be work without a gate anywhere, and something may be due; whoever looks after that says what is behind
    /// gates.
    pub(crate) fn wake_all(&self) {
        for slots in self.queues.values() {
            slots.ready.store(true, Ordering::SeqCst);
        }
        self.clock.store(true, Ordering::SeqCst);
        self.bell.notify_one();
    }

    /// The names of all queues of this process.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.queues.keys().map(String::as_str).collect()
    }

    /// Whether the clock should be looked at; asked once per news.
    pub(crate) fn take_clock(&self) -> bool {
        self.clock.swap(false, Ordering::SeqCst)
    }

    /// Rings without any news, for loops that wait for something else to pass.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// The queues that may have work without a gate, with how much they can take. Their flags are cleared.
    pub(crate) fn take_wanted(&self) -> Vec<(String, usize)> {
        self.take(|slots| &slots.ready)
            .map(|(slots, free)| (slots.name.clone(), free))
            .collect()
    }

    /// The same of work behind gates. Where there may be other work too, that gets the other half.
    pub(crate) fn take_gated(&self) -> Vec<(String, usize)> {
        self.take(|slots| &slots.gated)
            .map(|(slots, free)| {
                let both = slots.ready.load(Ordering::SeqCst);
                let share = if both { free.div_ceil(2) } else { free };
                (slots.name.clone(), share)
            })
            .collect()
    }

    fn take(
        &self,
        flag: impl Fn(&QueueSlots) -> &AtomicBool,
    ) -> impl Iterator<Item = (&QueueSlots, usize)> {
        self.queues.values().filter_map(move |slots| {
            let free = slots.free();
            (free > 0 && flag(slots).swap(false, Ordering::SeqCst)).then_some((&**slots, free))
        })
    }

    /// Whether the queue of which there are `news` is ours and has a free place.
    pub(crate) fn has_room(&self, news: &str) -> bool {
        self.queues
            .get(name(news))
            .is_some_and(|slots| slots.free() > 0)
    }

    /// Whether a queue that may have work has half of its places free, or enough for a whole statement.
    pub(crate) fn has_room_for_many(&self) -> bool {
        self.queues
            .values()
            .any(|slots| slots.may_have_work() && slots.has_room_for_many())
    }

    /// Takes a place for a claimed job.
    pub(crate) fn occupy(self: &Arc<Self>, queue: &str) -> Option<Slot> {
        let queue = self.queues.get(queue)?.clone();
        queue.used.fetch_add(1, Ordering::SeqCst);
        Some(Slot {
            queue,
            slots: self.clone(),
        })
    }

    /// The queues that are held.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = |slots: &&Arc<QueueSlots>| slots.held.load(Ordering::SeqCst);
        self.queues
            .values()
            .filter(held)
            .map(|slots| slots.name.clone())
            .collect()
    }

    /// Waits until a queue is held or released.
    pub(crate) async fn holds_changed(&self) {
        self.holds.notified().await;
    }

    /// The places in use.
    pub(crate) fn used(&self) -> usize {
        self.queues
            .values()
            .map(|slots| slots.used.load(Ordering::SeqCst))
            .sum()
    }
}

impl QueueSlots {
    fn may_have_work(&self) -> bool {
        self.ready.load(Ordering::SeqCst) || self.gated.load(Ordering::SeqCst)
    }

    fn has_room_for_many(&self) -> bool {
        let free = self.free();
        free > 0 && free >= (self.total / 2).min(BATCH)
    }

    fn free(&self) -> usize {
        if self.held.load(Ordering::SeqCst) {
            return 0;
        }
        self.total.saturating_sub(self.used.load(Ordering::SeqCst))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.queue.used.fetch_sub(1, Ordering::SeqCst);
        if self.queue.may_have_work() {
            self.slots.bell.notify_one();
        }
    }
}
