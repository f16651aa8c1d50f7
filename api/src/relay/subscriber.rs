//! One socket in a hub: what it has seen, and what it is kept while its snapshot is being read.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use millrace_domain::ids::UserId;

use super::outbox::{Outbox, Parcel};

/// A socket that follows a topic.
pub(super) struct Subscriber {
    outbox: Arc<Outbox>,
    pub(super) user: UserId,
    /// The number of the last frame that it got: what the hub hands out later may be older than its snapshot.
    seen: i64,
    /// Whether the hub stood somewhere when it joined. Then its snapshot is no older than that, and its buffer holds
    /// all that came after.
    anchored: bool,
    /// Frames with their places, while its snapshot is being read.
    buffer: Option<Vec<(Place, Parcel)>>,
}

/// Where a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It has this number.
    Numbered(i64),
    /// It is news on top of this number.
    On(i64),
    /// It begins anew from this number.
    From(i64),
}

impl Subscriber {
    /// One that buffers until it is [let in](Self::let_in).
    pub(super) fn new(outbox: Arc<Outbox>, user: UserId, anchored: bool) -> Self {
        Self {
            outbox,
            user,
            seen: i64::MIN,
            anchored,
            buffer: Some(Vec::new()),
        }
    }

    /// An answer, whatever it has seen.
    pub(super) fn answer(&self, frame: Utf8Bytes) {
        self.outbox.answer(frame);
    }

    /// Sends what it begins with, which belongs to the number `seen`, then what was kept and is newer. False if it
    /// joined before the hub stood anywhere: what was kept need not reach back to `seen`, and is not sent.
    pub(super) fn let_in(
        &mut self,
        seen: i64,
        beginning: impl IntoIterator<Item = Utf8Bytes>,
    ) -> bool {
        self.seen = seen;
        for frame in beginning {
            self.outbox.answer(frame);
        }
        for (place, parcel) in self.buffer.take().unwrap_or_default() {
            if self.anchored {
                self.send(place, &parcel);
            }
        }
        self.anchored
    }

    /// Sends a frame, or keeps it while the snapshot is being read. False if it is older than what was sent.
    pub(super) fn give(&mut self, place: Place, parcel: &Parcel) -> bool {
        match &mut self.buffer {
            Some(buffer) => {
                buffer.push((place, parcel.clone()));
                true
            }
            None => self.send(place, parcel),
        }
    }

    fn send(&mut self, place: Place, parcel: &Parcel) -> bool {
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
