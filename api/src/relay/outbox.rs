//! What waits to be sent to one socket: bounded, with newer states replacing older ones of the same thing.
//!
//! Progress is replaced at once. Numbered events are kept one by one while the socket keeps up; when it lags, a
//! newer state replaces the older ones of the same video, but never a final one. What still does not fit ends the
//! socket with 4008, and the client resumes from the last number that it saw.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use millrace_domain::ids::VideoId;
use tokio::sync::Notify;

use super::topic::Topic;

/// Frames that may wait.
const MOST_FRAMES: usize = 256;
/// Bytes that may wait. A single larger frame is let through when nothing else waits.
const MOST_BYTES: usize = 256 * 1024;
/// Frames that wait before numbered states begin to replace each other.
const LAGGING: usize = 64;

/// Why a socket is closed by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// 1008: broke the rules of the protocol.
    Policy,
    /// 1012: this replica is going away; another one is there.
    GoingAway,
    /// 4001: not signed in, or the session's time is over.
    Unauthenticated,
    /// 4003: signed out or deactivated.
    Revoked,
    /// 4008: too slow; resume from the last number.
    TooSlow,
}

impl Close {
    /// Code and reason of the closing frame.
    pub(crate) fn frame(self) -> (u16, &'static str) {
        match self {
            Self::Policy => (1008, "too many messages"),
            Self::GoingAway => (1012, "going away"),
            Self::Unauthenticated => (4001, "unauthenticated"),
            Self::Revoked => (4003, "revoked"),
            Self::TooSlow => (4008, "resume from seq"),
        }
    }
}

/// A frame on its way, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) frame: Utf8Bytes,
    pub(super) kind: Kind,
}

/// How a frame may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An answer: never replaced.
    Answer,
    /// The state of a video without a number.
    Progress(Topic, VideoId),
    /// The state of a video with a number; `last` if no other follows by itself.
    State {
        topic: Topic,
        video: VideoId,
        last: bool,
    },
}

/// The queue of one socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Parcel>,
    bytes: usize,
    close: Option<Close>,
}

impl Outbox {
    /// Puts a frame in the queue, or closes a socket that is too slow.
    pub(super) fn push(&self, parcel: Parcel) {
        {
            let mut inner = self.lock();
            if inner.close.is_some() {
                return;
            }
            inner.make_way(parcel.kind);
            inner.bytes += parcel.frame.len();
            inner.queue.push_back(parcel);
            let alone = inner.queue.len() == 1;
            if inner.queue.len() > MOST_FRAMES || (inner.bytes > MOST_BYTES && !alone) {
                inner.close = Some(Close::TooSlow);
                inner.queue.clear();
                inner.bytes = 0;
            }
        }
        self.bell.notify_one();
    }

    /// An answer to the client.
    pub(super) fn answer(&self, frame: Utf8Bytes) {
        self.push(Parcel {
            frame,
            kind: Kind::Answer,
        });
    }

    /// Closes the socket; the first reason counts. Frames that wait are not sent any more.
    pub(crate) fn close(&self, why: Close) {
        self.lock().close.get_or_insert(why);
        self.bell.notify_one();
    }

    /// Why it is to be closed, if it is.
    pub(super) fn closed(&self) -> Option<Close> {
        self.lock().close
    }

    /// The next frame.
    pub(super) fn pop(&self) -> Option<Utf8Bytes> {
        let mut inner = self.lock();
        let parcel = inner.queue.pop_front()?;
        inner.bytes -= parcel.frame.len();
        Some(parcel.frame)
    }

    /// Whether there is room for the answers to more requests: a client that does not read is not read either.
    pub(super) fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.queue.len() < MOST_FRAMES / 2 && inner.bytes < MOST_BYTES / 2
    }

    /// Waits until there is something to send or a reason to close.
    pub(super) async fn ready(&self) {
        loop {
            let rung = self.bell.notified();
            {
                let inner = self.lock();
                if inner.close.is_some() || !inner.queue.is_empty() {
                    return;
                }
            }
            rung.await;
        }
    }

    /// Waits until there is a reason to close.
    pub(super) async fn closing(&self) -> Close {
        loop {
            let rung = self.bell.notified();
            if let Some(why) = self.closed() {
                return why;
            }
            rung.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops what a frame of `kind` makes superfluous.
    fn make_way(&mut self, kind: Kind) {
        let (topic, video, durable) = match kind {
            Kind::Answer => return,
            Kind::Progress(topic, video) => (topic, video, false),
            Kind::State { topic, video, .. } => (topic, video, true),
        };
        let lagging = self.queue.len() >= LAGGING;
        self.queue.retain(|waiting| match waiting.kind {
            Kind::Progress(t, v) => (t, v) != (topic, video),
            Kind::State {
                topic: t,
                video: v,
                last,
            } => !(durable && lagging && !last && (t, v) == (topic, video)),
            Kind::Answer => true,
        });
        self.bytes = self.queue.iter().map(|waiting| waiting.frame.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::ids::UserId;

    use super::*;

    fn parcel(text: &str, kind: Kind) -> Parcel {
        Parcel {
            frame: text.to_owned().into(),
            kind,
        }
    }

    fn drain(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.pop())
            .map(|f| f.as_str().to_owned())
            .collect()
    }

    fn names() -> (Topic, VideoId) {
        (Topic::User(UserId::new()), VideoId::new())
    }

    #[test]
    fn newer_progress_replaces_older() {
        let (topic, video) = names();
        let outbox = Outbox::default();
        for percent in 0..1_000 {
            outbox.push(parcel(&percent.to_string(), Kind::Progress(topic, video)));
        }
        outbox.push(parcel("other", Kind::Progress(topic, VideoId::new())));
        assert_eq!(drain(&outbox), ["999", "other"]);
        assert_eq!(outbox.lock().bytes, 0);
    }

    #[test]
    fn an_event_replaces_progress_and_no_event_while_the_socket_keeps_up() {
        let (topic, video) = names();
        let outbox = Outbox::default();
        outbox.push(parcel("10 %", Kind::Progress(topic, video)));
        outbox.push(parcel(
            "1",
            Kind::State {
                topic,
                video,
                last: false,
            },
        ));
        outbox.push(parcel(
            "2",
            Kind::State {
                topic,
                video,
                last: false,
            },
        ));
        outbox.push(parcel("11 %", Kind::Progress(topic, video)));
        assert_eq!(drain(&outbox), ["1", "2", "11 %"]);
    }

    #[test]
    fn a_lagging_socket_gets_the_latest_state_and_every_final_one() {
        let (topic, video) = names();
        let outbox = Outbox::default();
        outbox.push(parcel(
            "failed",
            Kind::State {
                topic,
                video,
                last: true,
            },
        ));
        for n in 0..10_000 {
            outbox.push(parcel(
                &n.to_string(),
                Kind::State {
                    topic,
                    video,
                    last: false,
                },
            ));
        }
        outbox.push(parcel(
            "ready",
            Kind::State {
                topic,
                video,
                last: true,
            },
        ));
        assert_eq!(outbox.closed(), None);
        let sent = drain(&outbox);
        assert_eq!(
            (
                sent.first().unwrap().as_str(),
                sent.last().unwrap().as_str()
            ),
            ("failed", "ready")
        );
        assert!(sent.len() <= LAGGING + 2, "{}", sent.len());
    }

    #[test]
    fn what_cannot_be_replaced_closes_a_socket_that_is_too_slow() {
        let outbox = Outbox::default();
        for _ in 0..MOST_FRAMES {
            outbox.answer("x".to_owned().into());
        }
        assert_eq!(outbox.closed(), None);
        outbox.answer("x".to_owned().into());
        assert_eq!(outbox.closed(), Some(Close::TooSlow));
        assert!(outbox.pop().is_none());
    }

    #[test]
    fn bytes_are_bounded_but_for_one_large_frame() {
        let outbox = Outbox::default();
        outbox.answer("x".repeat(MOST_BYTES + 1).into());
        assert_eq!(outbox.closed(), None);
        assert!(!outbox.has_room());
        outbox.answer("x".to_owned().into());
        assert_eq!(outbox.closed(), Some(Close::TooSlow));
    }
}
