//! Reads what is new of all topics that were rung for, together: one statement for their events, one for the videos
//! behind them, however many topics there are. What is rung for meanwhile waits for the next look, so a busy process
//! looks no more often than it can.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use millrace_bus::{Head, StoredEvent, events_after, heads};
use millrace_domain::ids::{UserId, VideoId};
use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until};

use super::{
    Relay,
    hub::{Hub, News, Wish},
    resume::{BATCH, videos_in},
    source::{Live, Snapshot, Source},
    topic::Topic,
};

/// How long to wait after a failed look.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// Topics in one look; the others wait for the next.
const MOST_TOPICS: usize = 500;

/// A hub that wants a look.
struct Due {
    hub: Arc<Hub>,
    news: News,
    head: Head,
}

/// Looks whenever somebody rang, until shutdown.
pub(super) async fn run(relay: Relay) {
    let inner = relay.inner.clone();
    let mut waiting = HashSet::new();
    let mut not_before = Instant::now();
    let mut at = None;
    loop {
        tokio::select! {
            () = inner.bell.rung() => {}
            () = sleep_until(at.unwrap_or(not_before)), if at.is_some() => {}
            () = inner.shutdown.cancelled() => return,
        }
        waiting.extend(inner.bell.take());
        let now = Instant::now();
        if now < not_before {
            at = Some(not_before);
            continue;
        }
        let (due, later) = wishes(&relay, &mut waiting, now);
        at = later;
        if due.is_empty() {
            continue;
        }
        if let Err(error) = look(&inner.source, &due).await {
            tracing::warn!(%error, topics = due.len(), "could not read topics; trying again");
            for due in due {
                due.hub.heard(due.news);
            }
            not_before = now + AFTER_ERROR;
        }
    }
}

/// What the hubs of `waiting` want now, and when the others want something; those that want nothing wait no more.
fn wishes(
    relay: &Relay,
    waiting: &mut HashSet<Topic>,
    now: Instant,
) -> (Vec<Due>, Option<Instant>) {
    let hubs = relay.hubs();
    let mut due = Vec::new();
    let mut later: Option<Instant> = None;
    waiting.retain(|topic| {
        let Some(hub) = hubs.get(topic) else {
            return false;
        };
        let wish = if due.len() < MOST_TOPICS {
            hub.wish(now)
        } else {
            Wish::Later(now)
        };
        match wish {
            Wish::Nothing => false,
            Wish::Later(at) => {
                later = Some(later.map_or(at, |other| other.min(at)));
                true
            }
            Wish::Now(news, head) => {
                let hub = hub.clone();
                due.push(Due { hub, news, head });
                false
            }
        }
    });
    (due, later)
}

/// What a look found, all of one moment.
struct Found {
    events: HashMap<String, Vec<StoredEvent>>,
    /// Of topics that had no event before.
    epochs: HashMap<String, i64>,
    live: HashMap<VideoId, Live>,
    /// What people who want to hear of progress are making.
    made_by: HashMap<UserId, Vec<VideoId>>,
    /// Topics that begin anew, with what they begin with.
    anew: HashMap<Topic, Option<Snapshot>>,
}

async fn look(source: &Source, due: &[Due]) -> Result<(), sqlx::Error> {
    let mut tx = source.begin().await?;
    let mut found = find(source, &mut tx, due).await?;
    drop(tx);
    for due in due {
        match found.anew.remove(&due.hub.topic) {
            Some(snapshot) => due.hub.begin_anew(snapshot.as_ref()),
            None => tell(due, &found),
        }
    }
    Ok(())
}

async fn find(source: &Source, conn: &mut PgConnection, due: &[Due]) -> Result<Found, sqlx::Error> {
    let places: Vec<(&str, i64)> = due
        .iter()
        .filter(|due| !due.news.resync)
        .map(|due| (due.hub.name.as_str(), due.head.seq))
        .collect();
    let events = events_after(&mut *conn, &places, BATCH).await?;
    let mut anew = HashMap::new();
    let (mut newborn, mut named, mut makers) = (Vec::new(), Vec::new(), Vec::new());
    for due in due {
        let events = events.get(&due.hub.name).map_or(&[][..], Vec::as_slice);
        // Either it is another topic than it was, or events were pruned under our feet.
        let gap = events
            .first()
            .is_some_and(|event| event.seq != due.head.seq + 1);
        if due.news.resync || gap {
            let snapshot = source.snapshot(conn, due.hub.topic).await?;
            anew.insert(due.hub.topic, snapshot);
            continue;
        }
        if due.head == Head::NONE && !events.is_empty() {
            newborn.push(due.hub.name.clone());
        }
        named.extend(videos_in(events));
        match due.hub.topic {
            _ if !due.news.progress => {}
            Topic::Video(id) => named.push(id),
            Topic::User(id) => makers.push(id),
        }
    }
    let epochs = if newborn.is_empty() {
        Vec::new()
    } else {
        heads(&mut *conn, &newborn).await?
    };
    let (live, made_by) = source.states(conn, &named, &makers).await?;
    Ok(Found {
        events,
        epochs: epochs
            .into_iter()
            .map(|(name, h)| (name, h.epoch))
            .collect(),
        live,
        made_by,
        anew,
    })
}

/// Hands out what was found for a hub.
fn tell(due: &Due, found: &Found) {
    let hub = &due.hub;
    if let Some(events) = found.events.get(&hub.name) {
        let epoch = found
            .epochs
            .get(&hub.name)
            .copied()
            .unwrap_or(due.head.epoch);
        hub.tell_events(epoch, events, &found.live);
        if events.len() as i64 >= BATCH {
            // Progress goes with the newest number, and that is not read yet.
            hub.heard(News {
                events: true,
                ..due.news
            });
            return;
        }
    }
    if due.news.progress {
        let ids = match hub.topic {
            Topic::Video(id) => vec![id],
            Topic::User(id) => found.made_by.get(&id).cloned().unwrap_or_default(),
        };
        let live = |id| Some((id, found.live.get(&id)?.clone()));
        hub.tell_progress(&ids.into_iter().filter_map(live).collect());
    }
}
