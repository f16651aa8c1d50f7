//! Finds the jobs of a bulk action, page by page, and counts them.
//!
//! Live jobs by their id, which the hot table has an index for; a pass over it reads it once. Ended ones by state, kind and
//! id, which is the index of what went wrong (`history_unhappy`): the millions that went well are never read.

use chrono::{DateTime, Utc};
use sqlx::{Arguments as _, PgConnection};
use uuid::Uuid;

use super::{Bulk, BulkAction};
use crate::{
    State,
    filter::{ended, live},
};

/// `$11` the instant, `$12` how many, `$13` the id after which to go on, `$14` the bulk job itself.
macro_rules! live_page {
    ($also:literal) => {
        concat!(
            "select id from queue.job
              where id > $13 and id <> $14 and created_at <= $11 and ($2::text is not null or kind <> 'queue.bulk') and",
            live!(),
            $also,
            " order by id limit $12"
        )
    };
}

macro_rules! live_count {
    ($also:literal) => {
        concat!(
            "select count(*) from (select from queue.job
              where created_at <= $11 and ($2::text is not null or kind <> 'queue.bulk') and",
            live!(),
            $also,
            " limit $12) as found"
        )
    };
}

/// `$14` the kind and `$13` the id after which to go on, `$15` the state.
const ENDED_PAGE: &str = concat!(
    "select kind, id from queue.history
      where state = $15::text::queue.state and state <> 'completed' and (kind, id) > ($14, $13)
        and finished_at <= $11 and ($2::text is not null or kind <> 'queue.bulk') and",
    ended!(),
    " order by kind, id limit $12"
);

const ENDED_COUNT: &str = concat!(
    "select count(*) from (select from queue.history
      where state <> 'completed' and finished_at <= $11 and ($2::text is not null or kind <> 'queue.bulk') and",
    ended!(),
    " limit $12) as found"
);

/// Live jobs after the id `after` that were there at `before`, but for the bulk job `itself`.
pub(super) async fn live(
    conn: &mut PgConnection,
    bulk: &Bulk,
    before: DateTime<Utc>,
    itself: Uuid,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let states = bulk.live_states();
    if states.is_empty() {
        return Ok(Vec::new()); // no state in a statement means all of them
    }
    let statement = match bulk.action {
        // What has run again since is not what was meant.
        BulkAction::Retry => live_page!(" and (started_at is null or started_at <= $11)"),
        BulkAction::Cancel => live_page!(" and cancel_requested_at is null"),
        BulkAction::Discard => live_page!(""),
    };
    let mut arguments = bulk.filter.arguments(&states)?;
    arguments.add(before).map_err(sqlx::Error::Encode)?;
    arguments.add(limit).map_err(sqlx::Error::Encode)?;
    arguments.add(after).map_err(sqlx::Error::Encode)?;
    arguments.add(itself).map_err(sqlx::Error::Encode)?;
    sqlx::query_scalar_with(statement, arguments)
        .fetch_all(conn)
        .await
}

/// Jobs that have ended in `state` by `before`, with their kinds, after the one that `after` names.
pub(super) async fn ended(
    conn: &mut PgConnection,
    bulk: &Bulk,
    before: DateTime<Utc>,
    state: State,
    after: (&str, Uuid),
    limit: i64,
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    // The state comes by itself: as a list, it would cost the index its order, and each page a sort.
    let mut arguments = bulk.filter.arguments(&[])?;
    arguments.add(before).map_err(sqlx::Error::Encode)?;
    arguments.add(limit).map_err(sqlx::Error::Encode)?;
    arguments.add(after.1).map_err(sqlx::Error::Encode)?;
    arguments.add(after.0).map_err(sqlx::Error::Encode)?;
    arguments.add(state.as_str()).map_err(sqlx::Error::Encode)?;
    sqlx::query_as_with(ENDED_PAGE, arguments)
        .fetch_all(conn)
        .await
}

/// How many there are of both, at most `limit`.
pub(super) async fn count(
    conn: &mut PgConnection,
    bulk: &Bulk,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<u64, sqlx::Error> {
    let live = match bulk.action {
        BulkAction::Retry => live_count!(" and (started_at is null or started_at <= $11)"),
        BulkAction::Cancel => live_count!(" and cancel_requested_at is null"),
        BulkAction::Discard => live_count!(""),
    };
    let mut found = 0;
    for (states, statement) in [
        (bulk.live_states(), live),
        (bulk.ended_states(), ENDED_COUNT),
    ] {
        if states.is_empty() {
            continue;
        }
        let limit = i64::try_from(limit.saturating_sub(found)).unwrap_or(i64::MAX);
        let mut arguments = bulk.filter.arguments(&states)?;
        arguments.add(before).map_err(sqlx::Error::Encode)?;
        arguments.add(limit).map_err(sqlx::Error::Encode)?;
        let count: i64 = sqlx::query_scalar_with(statement, arguments)
            .fetch_one(&mut *conn)
            .await?;
        found += count.unsigned_abs();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind as _;

    #[test]
    fn bulk_jobs_are_known_by_their_kind() {
        let spared = format!("kind <> '{}'", Bulk::KIND);
        for statement in [live_page!(""), live_count!(""), ENDED_PAGE, ENDED_COUNT] {
            assert!(statement.contains(&spared), "{statement}");
        }
    }
}
