//! Durable events per topic: `(epoch, seq)` taken last in the publisher's transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use crate::{EVENTS, Notifier, TOUCHED};

/// Something that happened, addressed to a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The opaque name of the topic, such as `video:0198…`.
    pub topic: String,
    /// What subscribers get, as it is.
    pub data: Value,
}

/// An event with its place in its topic.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    pub seq: i64,
    pub data: Value,
}

/// Where a topic stands. A topic without events has no row and stands at [`Head::NONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    pub epoch: i64,
    pub seq: i64,
}

impl Head {
    /// The position of a topic that nobody has published to.
    pub const NONE: Self = Self { epoch: 0, seq: 0 };
}

/// Topics to look at, to be fired after commit. Dropping it costs subscribers the wait for their position check.
#[derive(Debug, Default)]
#[must_use = "fire it after commit, or subscribers wait for their position check"]
pub struct Hint {
    topics: Vec<String>,
    channel: &'static str,
}

impl Hint {
    /// Tells every listening process. Call it after the commit: earlier, they would look and see nothing.
    pub fn fire(self, notifier: &Notifier) {
        for topic in &self.topics {
            notifier.notify(self.channel, topic);
        }
    }

    /// No topic at all.
    pub fn none() -> Self {
        Self::default()
    }
}

/// A hint that the state behind `topics` moved without an event, as progress does. It takes no lock and no number.
pub fn touch(topics: impl IntoIterator<Item = String>) -> Hint {
    Hint {
        topics: topics.into_iter().collect(),
        channel: TOUCHED,
    }
}

/// Appends `events` to their topics. Call it **last** in a short transaction: it locks each topic's row, in the
/// order of their names, until commit, which is what makes numbers contiguous and in commit order.
///
/// # Errors
/// Those of the statement; the caller's transaction is then aborted.
pub async fn publish(conn: &mut PgConnection, events: &[Event]) -> Result<Hint, sqlx::Error> {
    if events.is_empty() {
        return Ok(Hint::none());
    }
    let topics: Vec<&str> = events.iter().map(|e| e.topic.as_str()).collect();
    let data: Vec<Value> = events.iter().map(|e| e.data.clone()).collect();
    sqlx::query(
        "with input as (
             select t.topic, t.data, row_number() over (partition by t.topic order by t.ord) as place
               from unnest($1::text[], $2::jsonb[]) with ordinality as t(topic, data, ord)
         ), head as (
             insert into bus.topic as t (name, seq)
             select topic, count(*) from input group by topic order by topic
             on conflict (name) do update set seq = t.seq + excluded.seq, updated_at = now()
             returning t.name, t.seq, (select count(*) from input i where i.topic = t.name) as added
         )
         insert into bus.event (topic, seq, data)
         select h.name, h.seq - h.added + i.place, i.data from input i join head h on h.name = i.topic",
    )
    .bind(&topics)
    .bind(&data)
    .execute(conn)
    .await?;
    let mut topics: Vec<String> = events.iter().map(|e| e.topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    Ok(Hint {
        topics,
        channel: EVENTS,
    })
}

/// Where each of `topics` stands now; topics without events are absent.
///
/// # Errors
/// Those of the statement.
pub async fn heads(
    db: impl PgExecutor<'_>,
    topics: &[String],
) -> Result<Vec<(String, Head)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("select name, epoch, seq from bus.topic where name = any($1)")
            .bind(topics)
            .fetch_all(db)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(name, epoch, seq)| (name, Head { epoch, seq }))
        .collect())
}

/// The events of `topic` after `seq`, oldest first, at most `limit`.
///
/// # Errors
/// Those of the statement.
pub async fn events_since(
    db: impl PgExecutor<'_>,
    topic: &str,
    seq: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let rows: Vec<(i64, Value)> = sqlx::query_as(
        "select seq, data from bus.event where topic = $1 and seq > $2 order by seq limit $3",
    )
    .bind(topic)
    .bind(seq)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(seq, data)| StoredEvent { seq, data })
        .collect())
}

/// The events of several topics, each after its own number, oldest first, at most `limit` of each; topics without
/// any are absent. One statement, for a reader that follows many.
///
/// # Errors
/// Those of the statement.
pub async fn events_after(
    db: impl PgExecutor<'_>,
    places: &[(&str, i64)],
    limit: i64,
) -> Result<HashMap<String, Vec<StoredEvent>>, sqlx::Error> {
    let (topics, seqs): (Vec<&str>, Vec<i64>) = places.iter().copied().unzip();
    let rows: Vec<(String, i64, Value)> = sqlx::query_as(
        "select p.topic, e.seq, e.data
           from unnest($1::text[], $2::bigint[]) as p(topic, seq)
          cross join lateral (select seq, data from bus.event e
                               where e.topic = p.topic and e.seq > p.seq order by e.seq limit $3) e
          order by p.topic, e.seq",
    )
    .bind(topics)
    .bind(seqs)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let mut events: HashMap<String, Vec<StoredEvent>> = HashMap::new();
    for (topic, seq, data) in rows {
        events
            .entry(topic)
            .or_default()
            .push(StoredEvent { seq, data });
    }
    Ok(events)
}

/// Deletes up to `limit` events older than `before` and returns how many went. Topics keep their heads, so a
/// client that resumes from a pruned place is told that it was not recovered.
///
/// # Errors
/// Those of the statement.
pub async fn prune(
    db: impl PgExecutor<'_>,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "delete from bus.event where ctid = any(array(
             select ctid from bus.event where created_at < $1 limit $2))",
    )
    .bind(before)
    .bind(limit)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
