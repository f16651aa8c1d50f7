//! One topic with local subscribers: what the [reader](super::reader) read for it is encoded once and handed out in
//! order.
//!
//! A subscriber joins buffering, before its snapshot is read, so that nothing falls between the two: what the hub
//! hands out meanwhile is kept, and of it only what is newer than the snapshot is sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use millrace_bus::{Head, StoredEvent};
use millrace_domain::ids::{UserId, VideoId};
use tokio::time::Instant;

use super::{
    bell::Bell,
    frame,
    outbox::{Kind, Outbox, Parcel},
    position::{Position, position},
    resume::{render, videos_in},
    source::{Live, Snapshot},
    subscriber::{Place, Subscriber},
    topic::Topic,
};

/// The least time between two looks at progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// A topic and its local subscribers.
pub(super) struct Hub {
    pub(super) topic: Topic,
    pub(super) name: String,
    state: Mutex<State>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    /// Up to where events were handed out; none until the first snapshot was read.
    head: Option<Head>,
    subscribers: HashMap<u64, Subscriber>,
    news: News,
    /// When progress was looked at.
    progress_at: Option<Instant>,
    /// The states that were handed out last, so that nothing is said twice.
    said: HashMap<VideoId, Arc<str>>,
    /// Whether something here is being made, and may move without anybody hearing of it.
    unsettled: bool,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) events: bool,
    pub(super) progress: bool,
    /// Everything anew: the topic is not the one that it was.
    pub(super) resync: bool,
}

/// What a hub wants of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing, until it rings again.
    Nothing,
    /// Progress, but not before then.
    Later(Instant),
    /// This, on top of that head.
    Now(News, Head),
}

impl Hub {
    pub(super) fn new(topic: Topic, bell: Arc<Bell>) -> Self {
        Self {
            topic,
            name: topic.to_string(),
            state: Mutex::default(),
            bell,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber that buffers. Its snapshot must be read after this.
    pub(super) fn join(&self, socket: u64, user: UserId, outbox: Arc<Outbox>) {
        let mut state = self.lock();
        let subscriber = Subscriber::new(outbox, user, state.head.is_some());
        state.subscribers.insert(socket, subscriber);
    }

    /// Removes a subscriber; true if nobody is left.
    pub(super) fn leave(&self, socket: u64) -> bool {
        let mut state = self.lock();
        state.subscribers.remove(&socket);
        state.subscribers.is_empty()
    }

    /// There is something to look at.
    pub(super) fn heard(&self, news: News) {
        self.lock().news.add(news);
        self.bell.ring(self.topic);
    }

    /// Compares with where the topic stands in the database.
    pub(super) fn check(&self, there: Head) {
        let news = {
            let state = self.lock();
            let Some(here) = state.head else { return };
            let position = position(here, there);
            News {
                events: position == Position::Behind,
                resync: position == Position::Other,
                // Hints of progress may be lost too.
                progress: state.unsettled,
            }
        };
        if news != News::default() {
            self.heard(news);
        }
    }

    /// Takes what is to be looked at now.
    pub(super) fn wish(&self, now: Instant) -> Wish {
        let mut state = self.lock();
        // Without a snapshot there is nowhere to read on from; the first one rings again.
        let Some(head) = state.head else {
            return Wish::Nothing;
        };
        let rest = state
            .progress_at
            .map(|at| at + PROGRESS_EVERY)
            .filter(|at| state.news.progress && *at > now);
        let mut due = std::mem::take(&mut state.news);
        if let Some(later) = rest {
            due.progress = false;
            state.news.progress = true;
            if due == News::default() {
                return Wish::Later(later);
            }
            // What is left waits for its time.
            self.bell.ring(self.topic);
        }
        if due == News::default() {
            return Wish::Nothing;
        }
        if due.progress {
            state.progress_at = Some(now);
        }
        Wish::Now(due, head)
    }

    /// Sends a subscriber its snapshot, or what it missed, then what was handed out meanwhile; from here on it is live.
    pub(super) fn admit(&self, socket: u64, snapshot: &Snapshot, missed: Option<Vec<Utf8Bytes>>) {
        let mut state = self.lock();
        let head = *state.head.get_or_insert(snapshot.head);
        state.unsettled |= snapshot.unsettled;
        if missed.is_some() {
            // What a caught-up client knows may lack progress, which a snapshot would have told it.
            state.said.clear();
            state.news.progress = true;
        }
        let Some(subscriber) = state.subscribers.get_mut(&socket) else {
            return;
        };
        subscriber.answer(frame::subscribed(&self.name, missed.is_some()));
        let beginning = missed
            .unwrap_or_else(|| vec![frame::snapshot(&self.name, snapshot.head, &snapshot.data)]);
        if !subscriber.let_in(snapshot.head.seq, beginning) && head.seq > snapshot.head.seq {
            // Of those who joined before the hub stood anywhere, another one with a newer snapshot was quicker. Read
            // again from here; who has seen it drops it.
            state.head = Some(snapshot.head);
        }
        if head.seq != snapshot.head.seq {
            state.news.events = true;
        }
        drop(state);
        self.bell.ring(self.topic);
    }

    /// Hands out events, in order, with the states of the videos that they name.
    pub(super) fn tell_events(
        &self,
        epoch: i64,
        events: &[StoredEvent],
        live: &HashMap<VideoId, Live>,
    ) {
        let mut state = self.lock();
        self.expel_strangers(&mut state, live);
        let next = state.head.map(|head| head.seq + 1);
        if next != events.first().map(|event| event.seq) {
            // The hub was set back while these were read.
            state.news.events = true;
            self.bell.ring(self.topic);
            return;
        }
        for event in events {
            let seq = event.seq;
            let head = Head { epoch, seq };
            let (data, kind) = render(self.topic, event, live);
            let frame = frame::event(&self.name, head, &data, None);
            state.hand_out(Place::Numbered(seq), &Parcel { frame, kind });
            state.head = Some(head);
        }
        for id in videos_in(events) {
            if let Some(live) = live.get(&id) {
                state.said.insert(id, live.data.clone());
                state.unsettled |= !live.settled;
            }
        }
    }

    /// Hands out what changed since, of what is being made.
    pub(super) fn tell_progress(&self, moving: &HashMap<VideoId, Live>) {
        let mut state = self.lock();
        let Some(head) = state.head else { return };
        self.expel_strangers(&mut state, moving);
        for (id, live) in moving {
            if state.said.get(id).is_some_and(|said| *said == live.data) {
                continue;
            }
            let frame = frame::event(&self.name, head, &live.data, Some(live.progress));
            let parcel = Parcel {
                frame,
                kind: Kind::Progress(self.topic, *id),
            };
            if state.hand_out(Place::On(head.seq), &parcel) {
                state.said.insert(*id, live.data.clone());
            } else {
                // Somebody is ahead of us. Once we have read up to there, it is news for them too.
                state.news.progress = true;
                self.bell.ring(self.topic);
            }
        }
        state.said.retain(|id, _| moving.contains_key(id));
        state.unsettled = moving.values().any(|live| !live.settled);
    }

    /// Begins anew for everybody; without a snapshot there is nothing to follow any more.
    pub(super) fn begin_anew(&self, snapshot: Option<&Snapshot>) {
        let mut state = self.lock();
        let Some(snapshot) = snapshot else {
            let frame = frame::error("not_found", Some(&self.name));
            for subscriber in state.subscribers.values() {
                subscriber.answer(frame.clone());
            }
            return;
        };
        state.head = Some(snapshot.head);
        state.unsettled = snapshot.unsettled;
        state.said.clear();
        let parcel = Parcel {
            frame: frame::snapshot(&self.name, snapshot.head, &snapshot.data),
            kind: Kind::Answer,
        };
        state.hand_out(Place::From(snapshot.head.seq), &parcel);
    }

    /// Ends the subscriptions of those who may not follow a video any more.
    fn expel_strangers(&self, state: &mut State, live: &HashMap<VideoId, Live>) {
        let Topic::Video(id) = self.topic else { return };
        let Some(live) = live.get(&id).filter(|live| live.private) else {
            return;
        };
        for subscriber in state.subscribers.values().filter(|s| s.user != live.owner) {
            subscriber.answer(frame::error("forbidden", Some(&self.name)));
            subscriber.answer(frame::unsubscribed(&self.name));
        }
        state.subscribers.retain(|_, s| s.user == live.owner);
    }
}

impl State {
    /// Gives a frame to all subscribers; false if one of them is ahead of it.
    fn hand_out(&mut self, place: Place, parcel: &Parcel) -> bool {
        metrics::counter!("millrace_relay_frames_total").increment(self.subscribers.len() as u64);
        let mut all = true;
        for subscriber in self.subscribers.values_mut() {
            all &= subscriber.give(place, parcel);
        }
        all
    }
}

impl News {
    /// There are new events.
    pub(super) const EVENTS: Self = Self {
        events: true,
        progress: false,
        resync: false,
    };
    /// The state moved without an event.
    pub(super) const PROGRESS: Self = Self {
        events: false,
        progress: true,
        resync: false,
    };

    fn add(&mut self, more: Self) {
        self.events |= more.events;
        self.progress |= more.progress;
        self.resync |= more.resync;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seq: i64) -> Snapshot {
        Snapshot {
            head: Head { epoch: 1, seq },
            data: "{}".to_owned(),
            unsettled: false,
        }
    }

    fn told(hub: &Hub, seqs: impl IntoIterator<Item = i64>) {
        let event = |seq| StoredEvent {
            seq,
            data: json!({"type": "upload"}),
        };
        let events: Vec<_> = seqs.into_iter().map(event).collect();
        hub.tell_events(1, &events, &HashMap::new());
    }

    fn numbers(outbox: &Outbox) -> Vec<i64> {
        let frame = |text: Utf8Bytes| serde_json::from_str::<serde_json::Value>(&text).ok();
        std::iter::from_fn(|| outbox.pop())
            .filter_map(|text| frame(text)?["seq"].as_i64())
            .collect()
    }

    #[test]
    fn who_joined_first_but_was_let_in_last_misses_nothing() {
        let hub = Hub::new(Topic::User(UserId::new()), Arc::default());
        let outboxes: [Arc<Outbox>; 3] = Default::default();
        for (socket, outbox) in outboxes.iter().enumerate() {
            hub.join(socket as u64, UserId::new(), outbox.clone());
        }
        hub.admit(0, &at(12), None);
        told(&hub, [13]);
        hub.admit(1, &at(10), None);
        // Read before the hub was set back.
        told(&hub, [14]);
        hub.admit(2, &at(11), None);
        let Wish::Now(news, head) = hub.wish(Instant::now()) else {
            panic!("there is something to read");
        };
        assert!(news.events && head == at(10).head);
        told(&hub, 11..=14);
        assert_eq!(numbers(&outboxes[0]), [12, 13, 14]);
        assert_eq!(numbers(&outboxes[1]), [10, 11, 12, 13, 14]);
        assert_eq!(numbers(&outboxes[2]), [11, 12, 13, 14]);
    }
}
