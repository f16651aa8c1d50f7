//! What people say against a decision: once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    ids::{AppealId, DecisionId, UserId},
    keyset::{Page, Wanted},
};

/// How far an appeal is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AppealState {
    /// Nobody has decided yet.
    Open,
    /// The decision was taken back.
    Accepted,
    /// The decision stands.
    Rejected,
}

/// An appeal as its decision has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appeal {
    pub id: AppealId,
    pub state: AppealState,
    pub body: String,
    /// What staff answered.
    pub answer: String,
    pub created_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// An appeal as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppealView {
    pub id: AppealId,
    pub decision_id: DecisionId,
    decided_at: Option<DateTime<Utc>>,
}

impl Appeal {
    /// Answers an appeal and returns the decision; `None` if it was answered before.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn answer(
        db: impl PgExecutor<'_>,
        id: AppealId,
        staff: Option<UserId>,
        accepted: bool,
        answer: &str,
    ) -> Result<Option<DecisionId>, sqlx::Error> {
        sqlx::query_scalar!(
            r#"update appeals set state = case when $2 then 'accepted' else 'rejected' end, answer = $3, staff_id = $4,
                      decided_at = now()
                where id = $1 and state = 'open' returning decision_id as "decision_id: DecisionId""#,
            id.0,
            accepted,
            answer,
            staff.map(|id| id.0),
        )
        .fetch_optional(db)
        .await
    }

    /// The decision that an appeal is against.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn decision(
        db: impl PgExecutor<'_>,
        id: AppealId,
    ) -> Result<Option<DecisionId>, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select decision_id as "decision_id: DecisionId" from appeals where id = $1"#,
            id.0
        )
        .fetch_optional(db)
        .await
    }
}

/// Writes what somebody says against a decision on something of theirs; `None` if they have said it before.
///
/// # Errors
/// Those of the statement.
pub async fn file_appeal(
    db: impl PgExecutor<'_>,
    decision: DecisionId,
    user: UserId,
    body: &str,
) -> Result<Option<AppealId>, sqlx::Error> {
    let id = AppealId::new();
    let done = sqlx::query!(
        "insert into appeals (id, decision_id, user_id, body) values ($1, $2, $3, $4)
         on conflict on constraint appeals_once do nothing",
        id.0,
        decision.0,
        user.0,
        body,
    )
    .execute(db)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// Appeals: those that wait, the longest first; or those that were answered, the last first.
///
/// # Errors
/// Those of the statement.
pub async fn appeals(
    db: impl PgExecutor<'_>,
    open: bool,
    wanted: &Wanted,
) -> Result<Page<AppealView>, sqlx::Error> {
    if open {
        let rows = sqlx::query_as!(
            AppealView,
            r#"select id as "id: _", decision_id as "decision_id: _", decided_at from appeals
                where state = 'open' and ($1::uuid is null or id > $1) order by id limit $2"#,
            wanted.place::<Uuid>(),
            wanted.rows(),
        )
        .fetch_all(db)
        .await?;
        return Ok(wanted.page(rows, |row| row.id));
    }
    let after: Option<(DateTime<Utc>, Uuid)> = wanted.place();
    let rows = sqlx::query_as!(
        AppealView,
        r#"select id as "id: _", decision_id as "decision_id: _", decided_at from appeals
            where state <> 'open' and ($1::timestamptz is null or (decided_at, id) < ($1, $2::uuid))
            order by decided_at desc, id desc limit $3"#,
        after.map(|place| place.0),
        after.map(|place| place.1),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| (row.decided_at, row.id)))
}
