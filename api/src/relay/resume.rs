//! What a client missed that comes back, and how an event looks by now.

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;
use millrace_bus::{Head, StoredEvent, events_since};
use millrace_domain::ids::VideoId;

use super::{
    frame,
    frame::Since,
    outbox::Kind,
    source::{Live, Source, deleted, video_of},
    topic::Topic,
};

/// Events read at a time, and the most that a client may have missed to be caught up rather than begun anew.
pub(super) const BATCH: i64 = 200;

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

/// The videos that events name, each once.
pub(super) fn videos_in(events: &[StoredEvent]) -> Vec<VideoId> {
    let mut ids: Vec<VideoId> = events.iter().filter_map(video_of).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The data of an event for subscribers: the state of the video that it names, as it is by now.
pub(super) fn render(
    topic: Topic,
    event: &StoredEvent,
    live: &HashMap<VideoId, Live>,
) -> (String, Kind) {
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
