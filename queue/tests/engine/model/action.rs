//! What may happen to a queue, drawn at random.

use proptest::{prelude::*, sample::Index};

/// Minutes; no sum of those that pass equals one of those that decide, so that a slow machine changes nothing.
pub(super) const PASSES: [u64; 2] = [7, 20];
pub(super) const DELAY: u64 = 10;
pub(super) const LEASE: u64 = 5;
pub(super) const PERIOD: u64 = 10;
pub(super) const MOST: u64 = 25;

/// The queues, and of each kind its name.
pub(super) const QUEUES: [&str; 2] = ["first", "second"];
pub(super) const KINDS: [&str; 2] = ["red", "blue"];
/// The limit keys: one at a time; two at a time; two in ten minutes.
pub(super) const KEYS: [&str; 3] = ["solo", "duo:1", "rate:1"];
pub(super) const UNIQUE: [&str; 2] = ["u", "v"];

/// How a unique key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Keep,
    Period,
    Replace,
    Debounce,
    /// Only a job that waits to be claimed holds it.
    WhileAvailable,
}

/// A job to be enqueued; places are those of the constants above.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) kind: usize,
    pub(super) queue: usize,
    pub(super) priority: i16,
    pub(super) delayed: bool,
    pub(super) key: Option<usize>,
    pub(super) owner: Option<u8>,
    pub(super) unique: Option<(usize, Ask)>,
    /// Among all jobs that ever were, and whether its outcome is ignored.
    pub(super) parent: Option<(Index, bool)>,
    /// After the one before it in the same call.
    pub(super) chained: bool,
    pub(super) max_attempts: u16,
    pub(super) max_crashes: u16,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    Enqueue(Vec<Wish>),
    /// So many of a queue; `regate` first, as workers do every few seconds.
    Claim {
        queue: usize,
        free: usize,
        regate: bool,
    },
    Complete(Index),
    Fail(Index),
    Snooze(Index),
    Release(Index),
    /// A worker that lost its lease answers.
    Late(Index, bool),
    Cancel(Index),
    Discard(Index),
    Retry(Index),
    Rescue,
    Promote,
    Pass(usize),
    PauseQueue(usize, bool),
    LimitQueue(usize, Option<u32>, bool),
    PauseKind(usize, bool),
    LimitKind(usize, Option<u32>),
}

fn wish() -> impl Strategy<Value = Wish> {
    let ask = prop_oneof![
        Just(Ask::Keep),
        Just(Ask::Period),
        Just(Ask::Replace),
        Just(Ask::Debounce),
        Just(Ask::WhileAvailable),
    ];
    let place = (
        0..KINDS.len(),
        0..QUEUES.len(),
        -1..2_i16,
        prop::bool::weighted(0.2),
    );
    let limits = (
        prop::option::weighted(0.5, 0..KEYS.len()),
        prop::option::of(0..2_u8),
        prop::option::weighted(0.4, (0..UNIQUE.len(), ask)),
    );
    let graph = (
        prop::option::weighted(0.25, (any::<Index>(), any::<bool>())),
        prop::bool::weighted(0.2),
        (1..4_u16, 1..3_u16),
    );
    (place, limits, graph).prop_map(|(place, limits, graph)| Wish {
        kind: place.0,
        queue: place.1,
        priority: place.2,
        delayed: place.3,
        key: limits.0,
        owner: limits.1,
        unique: limits.2,
        parent: graph.0,
        chained: graph.1,
        max_attempts: graph.2.0,
        max_crashes: graph.2.1,
    })
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let one = any::<Index>;
    let most = || prop::option::weighted(0.6, 0..3_u32);
    let claim = (0..QUEUES.len(), 1..5_usize, prop::bool::weighted(0.7));
    prop_oneof![
        7 => prop::collection::vec(wish(), 1..4).prop_map(Action::Enqueue),
        7 => claim.prop_map(|(queue, free, regate)| Action::Claim { queue, free, regate }),
        4 => one().prop_map(Action::Complete),
        2 => one().prop_map(Action::Fail),
        1 => one().prop_map(Action::Snooze),
        1 => one().prop_map(Action::Release),
        1 => (one(), any::<bool>()).prop_map(|(job, ends)| Action::Late(job, ends)),
        2 => one().prop_map(Action::Cancel),
        1 => one().prop_map(Action::Discard),
        2 => one().prop_map(Action::Retry),
        2 => Just(Action::Rescue),
        2 => Just(Action::Promote),
        3 => (0..PASSES.len()).prop_map(Action::Pass),
        1 => (0..QUEUES.len(), any::<bool>()).prop_map(|(queue, on)| Action::PauseQueue(queue, on)),
        1 => (0..QUEUES.len(), most(), any::<bool>()).prop_map(|(queue, most, fair)| Action::LimitQueue(queue, most, fair)),
        1 => (0..KINDS.len(), any::<bool>()).prop_map(|(kind, on)| Action::PauseKind(kind, on)),
        3 => (0..KINDS.len(), most()).prop_map(|(kind, most)| Action::LimitKind(kind, most)),
    ]
}
