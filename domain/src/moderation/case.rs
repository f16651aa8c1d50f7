//! Cases: what was reported of one thing since staff last decided on it. Reports open and join them by themselves
//! (`0036_moderation.sql`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Action;
use crate::{
    ids::{CaseId, DecisionId, UserId},
    keyset::{Page, Wanted},
    reports::Target,
};

/// A case as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub id: CaseId,
    pub target: Target,
    pub target_id: Uuid,
    pub owner_id: Option<UserId>,
    pub owner: Option<String>,
    /// The title, comment or name as it was when it was last reported.
    pub excerpt: String,
    /// How many people said so.
    pub reports: i64,
    /// Their reasons, the most frequent first.
    pub reasons: Vec<String>,
    pub opened_at: DateTime<Utc>,
    pub last_reported_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    /// What was decided.
    pub action: Option<Action>,
}

/// Which cases.
#[derive(Debug, Clone, Copy, Default)]
pub struct CaseFilter {
    /// Those that staff have decided on.
    pub settled: bool,
    pub target: Option<Target>,
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub id: Uuid,
    /// None: the word list.
    pub reporter: Option<String>,
    pub reason: String,
    pub body: String,
    pub excerpt: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    t: Option<DateTime<Utc>>,
    i: Uuid,
}

/// The columns of [`Case`].
macro_rules! select_case {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Case,
            r#"select c.id as "id: _", c.target as "target: _", c.target_id, c.owner_id as "owner_id: _",
                      o.username::text as "owner?", coalesce(n.excerpt, '') as "excerpt!", coalesce(n.reports, 0) as "reports!",
                      coalesce(n.reasons, '{}') as "reasons!", c.opened_at,
                      coalesce(n.last_reported_at, c.opened_at) as "last_reported_at!", c.settled_at,
                      d.action as "action?: _"
                 from moderation_cases c
                 left join users o on o.id = c.owner_id
                 left join moderation_decisions d on d.id = c.decision_id
                 left join lateral (
                     select sum(r.n)::int8 as reports, max(r.at) as last_reported_at,
                            array_agg(r.reason order by r.n desc, r.reason) as reasons,
                            (select excerpt from reports where case_id = c.id order by id desc limit 1) as excerpt
                       from (select reason, count(*) as n, max(created_at) as at from reports where case_id = c.id group by reason) r
                 ) n on true "# + $tail
            $(, $arg)*
        )
    };
}

/// The queue: open cases, the longest waiting first; or settled ones, the last first.
///
/// # Errors
/// Those of the statement.
pub async fn cases(
    db: impl PgExecutor<'_>,
    filter: CaseFilter,
    wanted: &Wanted,
) -> Result<Page<Case>, sqlx::Error> {
    let after: Option<Place> = wanted.place();
    let (time, id) = after.map_or((None, None), |place| (place.t, Some(place.i)));
    let target = filter.target.map(Target::word);
    let rows = if filter.settled {
        select_case!(
            "where c.settled_at is not null and ($1::text is null or c.target = $1)
               and ($2::timestamptz is null or (c.settled_at, c.id) < ($2, $3::uuid))
             order by c.settled_at desc, c.id desc limit $4",
            target,
            time,
            id,
            wanted.rows(),
        )
        .fetch_all(db)
        .await?
    } else {
        select_case!(
            "where c.settled_at is null and ($1::text is null or c.target = $1) and ($2::uuid is null or c.id > $2)
             order by c.id limit $3",
            target,
            id,
            wanted.rows(),
        )
        .fetch_all(db)
        .await?
    };
    Ok(wanted.page(rows, |row| Place {
        t: row.settled_at,
        i: row.id.0,
    }))
}

impl Case {
    /// One case.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: CaseId) -> Result<Option<Self>, sqlx::Error> {
        select_case!("where c.id = $1", id.0)
            .fetch_optional(db)
            .await
    }
}

/// What people said, newest first, at most `limit`.
///
/// # Errors
/// Those of the statement.
pub async fn complaints(
    db: impl PgExecutor<'_>,
    case: CaseId,
    limit: i64,
) -> Result<Vec<Complaint>, sqlx::Error> {
    sqlx::query_as!(
        Complaint,
        r#"select r.id, u.username::text as "reporter?", r.reason, r.body, r.excerpt, r.created_at
             from reports r left join users u on u.id = r.reporter_id
            where r.case_id = $1 order by r.id desc limit $2"#,
        case.0,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Settles the open case of a thing, if there is one, by a decision.
///
/// # Errors
/// Those of the statements.
pub async fn settle(
    conn: &mut PgConnection,
    target: Target,
    id: Uuid,
    decision: DecisionId,
    upheld: bool,
) -> Result<Option<CaseId>, sqlx::Error> {
    let case = sqlx::query_scalar!(
        r#"update moderation_cases set settled_at = now(), decision_id = $3
            where target = $1 and target_id = $2 and settled_at is null returning id as "id: CaseId""#,
        target.word(),
        id,
        decision.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(case) = case {
        sqlx::query!(
            "update reports set status = case when $2 then 'upheld' else 'dismissed' end, closed_at = now()
              where case_id = $1 and status = 'open'",
            case.0,
            upheld,
        )
        .execute(conn)
        .await?;
    }
    Ok(case)
}
