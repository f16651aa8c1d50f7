//! One topic with local subscribers: it reads what is new, once for all of them, and hands it out in order.
//!
//! A subscriber joins buffering, before its snapshot is read, so that nothing falls between the two: what the hub
//! hands out meanwhile is kept, and of it only what is newer than the snapshot is sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use millrace_bus::{Head, StoredEvent, events_since};
use millrace_domain::ids::{UserId, VideoId};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    frame,
    frame::Since,
    outbox::{Kind, Outbox, Parcel},
    source::{Live, Snapshot, Source, deleted, video_of},
    topic::Topic,
};

/// The least time between two looks at progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How long to wait after a failed look.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// Events read at a time, and the most that a client may have missed to be caught up rather than begun anew.
pub(super) const BATCH: i64 = 200;

/// A topic and its local subscribers.
pub(super) struct Hub {
    pub(super) topic: Topic,
    pub(super) name: String,
    state: Mutex<State>,
    wake: Notify,
    pub(super) ended: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Up to where events were handed out; none until the first snapshot was read.
    head: Option<Head>,
    subscribers: HashMap<u64, Subscriber>,
    news: News,
    /// The states that were handed out last, so that nothing is said twice.
    said: HashMap<VideoId, Arc<str>>,
    /// Whether something here is being made, and may move without anybody hearing of it.
    unsettled: bool,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, Default)]
struct News {
    events: bool,
    progress: bool,
    /// Everything anew: the topic is not the one that it was.
    resync: bool,
}

struct Subscriber {
    outbox: Arc<Outbox>,
    user: UserId,
    /// The number of the last frame that it got: what the hub hands out later may be older than its snapshot.
    seen: i64,
    /// Frames with their places, while its snapshot is being read.
    buffer: Option<Vec<(Place, Parcel)>>,
}

/// Where a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It has this number.
    Numbered(i64),
    /// It is news on top of this number.
    On(i64),
    /// It begins anew from this number.
    From(i64),
}

/// What came of the position check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Same,
    Behind,
    Other,
}

impl Hub {
    pub(super) fn new(topic: Topic) -> Self {
        Self {
            topic,
            name: topic.to_string(),
            state: Mutex::default(),
            wake: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber that buffers. Its snapshot must be read after this.
    pub(super) fn join(&self, socket: u64, user: UserId, outbox: Arc<Outbox>) {
        let subscriber = Subscriber {
            outbox,
            user,
            seen: i64::MIN,
            buffer: Some(Vec::new()),
        };
        self.lock().subscribers.insert(socket, subscriber);
    }

    /// Removes a subscriber; true if nobody is left.
    pub(super) fn leave(&self, socket: u64) -> bool {
        let mut state = self.lock();
        state.subscribers.remove(&socket);
        state.subscribers.is_empty()
    }

    /// There are new events.
    pub(super) fn heard_events(&self) {
        self.lock().news.events = true;
        self.wake.notify_one();
    }

    /// The state moved without an event.
    pub(super) fn heard_progress(&self) {
        self.lock().news.progress = true;
        self.wake.notify_one();
    }

    /// Compares with where the topic stands in the database.
    pub(super) fn check(&self, there: Head) {
        {
            let mut state = self.lock();
            let Some(here) = state.head else { return };
            match position(here, there) {
                Position::Same => {}
                Position::Behind => state.news.events = true,
                Position::Other => state.news.resync = true,
            }
            // Hints of progress may be lost too.
            state.news.progress |= state.unsettled;
        }
        self.wake.notify_one();
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
        subscriber.seen = snapshot.head.seq;
        let outbox = &subscriber.outbox;
        outbox.answer(frame::subscribed(&self.name, missed.is_some()));
        match missed {
            Some(events) => events.into_iter().for_each(|event| outbox.answer(event)),
            None => outbox.answer(frame::snapshot(&self.name, snapshot.head, &snapshot.data)),
        }
        for (place, parcel) in subscriber.buffer.take().unwrap_or_default() {
            subscriber.give(place, &parcel);
        }
        if head.seq < snapshot.head.seq {
            state.news.events = true;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Looks whenever something was heard, until the last subscriber is gone.
    pub(super) async fn run(self: Arc<Self>, source: Source, turns: Arc<Semaphore>) {
        let mut next_progress = Instant::now();
        let mut later = News::default();
        let mut not_before = Instant::now();
        loop {
            let waits = later.progress || later.events || later.resync;
            let at = if later.events || later.resync {
                not_before
            } else {
                next_progress.max(not_before)
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(at), if waits => {}
                () = self.ended.cancelled() => return,
            }
            let heard = self.take_news();
            later.events |= heard.events;
            later.progress |= heard.progress;
            later.resync |= heard.resync;
            if Instant::now() < not_before {
                continue;
            }
            let due = News {
                progress: later.progress && Instant::now() >= next_progress,
                ..later
            };
            if !(due.events || due.progress || due.resync) {
                continue;
            }
            let Ok(_turn) = turns.acquire().await else {
                return;
            };
            match self.look(&source, due).await {
                Ok(()) => {
                    later = News {
                        progress: later.progress && !due.progress,
                        ..News::default()
                    };
                    if due.progress {
                        next_progress = Instant::now() + PROGRESS_EVERY;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, topic = self.name, "could not read a topic; trying again");
                    not_before = Instant::now() + AFTER_ERROR;
                }
            }
        }
    }

    fn take_news(&self) -> News {
        let mut state = self.lock();
        // Without a snapshot there is nowhere to read on from; the first one rings again.
        if state.head.is_none() {
            News::default()
        } else {
            std::mem::take(&mut state.news)
        }
    }

    async fn look(&self, source: &Source, due: News) -> Result<(), sqlx::Error> {
        if due.resync {
            return self.resync(source).await;
        }
        // Progress goes with the head, so the head comes first.
        if due.events || due.progress {
            self.read_events(source).await?;
        }
        if due.progress {
            self.read_progress(source).await?;
        }
        Ok(())
    }

    /// Reads and hands out events until there are no more.
    async fn read_events(&self, source: &Source) -> Result<(), sqlx::Error> {
        loop {
            let Some(mut head) = self.lock().head else {
                return Ok(());
            };
            let mut tx = source.begin().await?;
            if head == Head::NONE {
                // The topic's first event brings its epoch.
                head.epoch = Source::head(&mut tx, &self.name).await?.epoch;
            }
            let events = events_since(&mut *tx, &self.name, head.seq, BATCH).await?;
            if events.is_empty() {
                return Ok(());
            }
            if events
                .first()
                .is_some_and(|event| event.seq != head.seq + 1)
            {
                // Pruned under our feet.
                drop(tx);
                return self.resync(source).await;
            }
            let ids = videos_in(&events);
            let live = source.live(&mut tx, &ids).await?;
            drop(tx);
            let more = events.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            self.hand_out(head.epoch, &events, &live);
            if !more {
                return Ok(());
            }
        }
    }

    fn hand_out(&self, epoch: i64, events: &[StoredEvent], live: &HashMap<VideoId, Live>) {
        let mut state = self.lock();
        self.expel_strangers(&mut state, live);
        for event in events {
            let head = Head {
                epoch,
                seq: event.seq,
            };
            let (data, kind) = render(self.topic, event, live);
            let frame = frame::event(&self.name, head, &data, None);
            state.hand_out(Place::Numbered(event.seq), &Parcel { frame, kind });
            state.head = Some(head);
        }
        for (id, live) in live {
            state.said.insert(*id, live.data.clone());
        }
        state.unsettled |= live.values().any(|live| !live.settled);
    }

    /// Reads what is being made and hands out what changed since.
    async fn read_progress(&self, source: &Source) -> Result<(), sqlx::Error> {
        let mut tx = source.begin().await?;
        let live = source.moving(&mut tx, self.topic).await?;
        drop(tx);
        let mut state = self.lock();
        let Some(head) = state.head else {
            return Ok(());
        };
        self.expel_strangers(&mut state, &live);
        for (id, live) in &live {
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
            }
        }
        state.said.retain(|id, _| live.contains_key(id));
        state.unsettled = live.values().any(|live| !live.settled);
        Ok(())
    }

    /// Begins anew for everybody.
    async fn resync(&self, source: &Source) -> Result<(), sqlx::Error> {
        let mut tx = source.begin().await?;
        let snapshot = source.snapshot(&mut tx, self.topic).await?;
        drop(tx);
        let mut state = self.lock();
        match snapshot {
            Some(snapshot) => {
                state.head = Some(snapshot.head);
                state.unsettled = snapshot.unsettled;
                state.said.clear();
                let frame = frame::snapshot(&self.name, snapshot.head, &snapshot.data);
                state.hand_out(
                    Place::From(snapshot.head.seq),
                    &Parcel {
                        frame,
                        kind: Kind::Answer,
                    },
                );
            }
            None => {
                let frame = frame::error("not_found", Some(&self.name));
                state
                    .subscribers
                    .values()
                    .for_each(|s| s.outbox.answer(frame.clone()));
            }
        }
        Ok(())
    }

    /// Ends the subscriptions of those who may not follow a video any more.
    fn expel_strangers(&self, state: &mut State, live: &HashMap<VideoId, Live>) {
        let Topic::Video(id) = self.topic else { return };
        let Some(live) = live.get(&id).filter(|live| live.private) else {
            return;
        };
        for subscriber in state.subscribers.values().filter(|s| s.user != live.owner) {
            subscriber
                .outbox
                .answer(frame::error("forbidden", Some(&self.name)));
            subscriber.outbox.answer(frame::unsubscribed(&self.name));
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
            match &mut subscriber.buffer {
                Some(buffer) => buffer.push((place, parcel.clone())),
                None => all &= subscriber.give(place, parcel),
            }
        }
        all
    }
}

impl Subscriber {
    /// Sends a frame unless it is older than what was sent.
    fn give(&mut self, place: Place, parcel: &Parcel) -> bool {
        let fits = match place {
            Place::Numbered(seq) => seq > self.seen,
            Place::On(seq) => seq >= self.seen,
            Place::From(_) => true,
        };
        if fits {
            let (Place::Numbered(seq) | Place::On(seq) | Place::From(seq)) = place;
            self.seen = seq;
            self.outbox.push(parcel.clone());
        }
        fits
    }
}

/// What a client that stands at `since` missed, if that can be told without a gap and in `BATCH` events.
pub(super) async fn missed(
    source: &Source,
    tx: &mut sqlx::PgConnection,
    topic: Topic,
    since: Since,
    head: Head,
) -> Result<Option<Vec<Utf8Bytes>>, sqlx::Error> {
    // A client that saw the topic before its first event stands at nothing, whatever the epoch became.
    let same =
        since.epoch == head.epoch || (since.epoch, since.seq) == (Head::NONE.epoch, Head::NONE.seq);
    if !same || since.seq > head.seq || since.seq < 0 || head.seq - since.seq > BATCH {
        return Ok(None);
    }
    let name = topic.to_string();
    let events = events_since(&mut *tx, &name, since.seq, BATCH).await?;
    let complete = events.len() as i64 == head.seq - since.seq
        && events
            .first()
            .is_none_or(|event| event.seq == since.seq + 1);
    if !complete {
        return Ok(None);
    }
    let live = source.live(tx, &videos_in(&events)).await?;
    let frames = events.iter().map(|event| {
        let (data, _) = render(topic, event, &live);
        frame::event(
            &name,
            Head {
                epoch: head.epoch,
                seq: event.seq,
            },
            &data,
            None,
        )
    });
    Ok(Some(frames.collect()))
}

fn videos_in(events: &[StoredEvent]) -> Vec<VideoId> {
    let mut ids: Vec<VideoId> = events.iter().filter_map(video_of).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The data of an event for subscribers: the state of the video that it names, as it is by now.
fn render(topic: Topic, event: &StoredEvent, live: &HashMap<VideoId, Live>) -> (String, Kind) {
    match video_of(event) {
        None => (event.data.to_string(), Kind::Answer),
        Some(id) => match live.get(&id) {
            None => (deleted(id), Kind::Answer),
            Some(live) => {
                let kind = Kind::State {
                    topic,
                    video: id,
                    last: live.settled,
                };
                (live.data.to_string(), kind)
            }
        },
    }
}

fn position(here: Head, there: Head) -> Position {
    if here.epoch != there.epoch && here != Head::NONE {
        Position::Other
    } else if there.seq > here.seq {
        Position::Behind
    } else {
        // Less than here: the head was read before we went on.
        Position::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_told_apart() {
        let head = |epoch, seq| Head { epoch, seq };
        assert_eq!(position(head(1, 5), head(1, 5)), Position::Same);
        assert_eq!(position(head(1, 5), head(1, 7)), Position::Behind);
        assert_eq!(position(head(1, 5), head(1, 4)), Position::Same);
        assert_eq!(position(head(1, 5), head(2, 5)), Position::Other);
        assert_eq!(position(Head::NONE, head(9, 1)), Position::Behind);
        assert_eq!(position(Head::NONE, Head::NONE), Position::Same);
    }
}
