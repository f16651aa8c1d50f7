//! The free places of each queue, and the bell that rings when one of them may be filled.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// One queue of this process.
#[derive(Debug)]
pub(crate) struct QueueSlots {
    pub(crate) name: String,
    pub(crate) total: usize,
    used: AtomicUsize,
    /// There may be work that is not claimed. Set before the bell rings and cleared before the claim, so that a wake
    /// during a claim is never swallowed.
    ready: AtomicBool,
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
}

/// Keeps a worker from claiming for some of its queues, while something that their jobs need is short on its machine.
/// Running jobs go on, and other workers claim. Nothing of it is stored: it ends with the process.
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
        }
    }

    /// Claims for `queue` again, at once.
    pub fn release(&self, queue: &str) {
        if let Some(slots) = self.slots.queues.get(queue) {
            slots.held.store(false, Ordering::SeqCst);
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
                    held: AtomicBool::new(false),
                };
                (name.clone(), Arc::new(slots))
            })
            .collect();
        Arc::new(Self {
            queues,
            clock: AtomicBool::new(true),
            bell: Notify::new(),
        })
    }

    /// There may be work in `queue`; the empty name says that something is due soon.
    pub(crate) fn wake(&self, queue: &str) {
        if queue.is_empty() {
            self.clock.store(true, Ordering::SeqCst);
            self.bell.notify_one();
        } else if let Some(slots) = self.queues.get(queue) {
            slots.ready.store(true, Ordering::SeqCst);
            self.bell.notify_one();
        }
    }

    /// There may be work anywhere.
    pub(crate) fn wake_all(&self) {
        for slots in self.queues.values() {
            slots.ready.store(true, Ordering::SeqCst);
        }
        self.clock.store(true, Ordering::SeqCst);
        self.bell.notify_one();
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

    /// The queues that may have work, with how much they can take. Their flags are cleared.
    pub(crate) fn take_wanted(&self) -> Vec<(String, usize)> {
        let mut wanted = Vec::new();
        for slots in self.queues.values() {
            let free = slots.free();
            if free > 0 && slots.ready.swap(false, Ordering::SeqCst) {
                wanted.push((slots.name.clone(), free));
            }
        }
        wanted
    }

    /// Whether `queue` is ours and has a free place.
    pub(crate) fn has_room(&self, queue: &str) -> bool {
        self.queues.get(queue).is_some_and(|slots| slots.free() > 0)
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

    /// The places in use.
    pub(crate) fn used(&self) -> usize {
        self.queues
            .values()
            .map(|slots| slots.used.load(Ordering::SeqCst))
            .sum()
    }
}

impl QueueSlots {
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
        if self.queue.ready.load(Ordering::SeqCst) {
            self.slots.bell.notify_one();
        }
    }
}
