//! What staff decided about something of somebody's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Appeal, AppealState};
use crate::{
    ids::{AppealId, DecisionId, UserId},
    keyset::{Page, Wanted},
    reports::{Reason, Target},
};

/// What is done.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ModerationAction)]
pub enum Action {
    /// Nothing is wrong with it. What was held back is shown.
    Dismiss,
    /// Nobody but its owner sees it.
    Hide,
    /// It is deleted for good.
    Takedown,
    /// The person is locked out.
    Suspend,
}

/// Why a decision does not stand any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum LiftedFor {
    /// Staff took it back.
    Staff,
    /// An appeal was accepted.
    Appeal,
    /// The suspension was over.
    Time,
}

/// A decision, with what was said against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub id: DecisionId,
    pub target: Target,
    pub target_id: Uuid,
    /// Whose it is.
    pub owner_id: Option<UserId>,
    pub owner: Option<String>,
    pub action: Action,
    /// None of what was dismissed.
    pub reason: Option<Reason>,
    /// What the person is told besides.
    pub note: String,
    /// The title, comment or name as it was.
    pub excerpt: String,
    /// The end of a suspension; none: until it is lifted.
    pub until: Option<DateTime<Utc>>,
    /// Who decided, if they are still there.
    pub staff: Option<String>,
    pub created_at: DateTime<Utc>,
    pub lifted_at: Option<DateTime<Utc>>,
    pub lifted_for: Option<LiftedFor>,
    pub appeal: Option<Appeal>,
}

/// What is decided.
#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    pub id: DecisionId,
    pub target: Target,
    pub target_id: Uuid,
    pub owner: Option<UserId>,
    pub action: Action,
    pub reason: Option<Reason>,
    pub note: &'a str,
    pub excerpt: &'a str,
    pub until: Option<DateTime<Utc>>,
    pub staff: Option<UserId>,
}

impl Action {
    /// The word of the column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dismiss => "dismiss",
            Self::Hide => "hide",
            Self::Takedown => "takedown",
            Self::Suspend => "suspend",
        }
    }

    /// Whether it can be taken back, and so whether an appeal against it makes sense: what is deleted is deleted.
    pub const fn can_be_lifted(self) -> bool {
        matches!(self, Self::Hide | Self::Suspend)
    }
}

impl LiftedFor {
    /// The word of the column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Appeal => "appeal",
            Self::Time => "time",
        }
    }
}

impl Decision {
    /// Whether it is so now.
    pub fn stands(&self) -> bool {
        self.lifted_at.is_none()
    }
}

struct Row {
    id: DecisionId,
    target: Target,
    target_id: Uuid,
    owner_id: Option<UserId>,
    owner: Option<String>,
    action: Action,
    reason: Option<Reason>,
    note: String,
    excerpt: String,
    until: Option<DateTime<Utc>>,
    staff: Option<String>,
    created_at: DateTime<Utc>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_for: Option<LiftedFor>,
    appeal_id: Option<AppealId>,
    appeal_state: Option<AppealState>,
    appeal_body: Option<String>,
    appeal_answer: Option<String>,
    appealed_at: Option<DateTime<Utc>>,
    appeal_decided_at: Option<DateTime<Utc>>,
}

impl From<Row> for Decision {
    fn from(row: Row) -> Self {
        let appeal = match (row.appeal_id, row.appeal_state, row.appealed_at) {
            (Some(id), Some(state), Some(created_at)) => Some(Appeal {
                id,
                state,
                body: row.appeal_body.unwrap_or_default(),
                answer: row.appeal_answer.unwrap_or_default(),
                created_at,
                decided_at: row.appeal_decided_at,
            }),
            _ => None,
        };
        Self {
            id: row.id,
            target: row.target,
            target_id: row.target_id,
            owner_id: row.owner_id,
            owner: row.owner,
            action: row.action,
            reason: row.reason,
            note: row.note,
            excerpt: row.excerpt,
            until: row.until,
            staff: row.staff,
            created_at: row.created_at,
            lifted_at: row.lifted_at,
            lifted_for: row.lifted_for,
            appeal,
        }
    }
}

/// The columns of [`Row`].
macro_rules! select_decision {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select d.id as "id: _", d.target as "target: _", d.target_id, d.owner_id as "owner_id: _",
                      o.username::text as "owner?", d.action as "action: _", d.reason as "reason: _", d.note, d.excerpt,
                      d.until, s.username::text as "staff?", d.created_at, d.lifted_at, d.lifted_for as "lifted_for: _",
                      a.id as "appeal_id?: _", a.state as "appeal_state?: _", a.body as "appeal_body?",
                      a.answer as "appeal_answer?", a.created_at as "appealed_at?", a.decided_at as "appeal_decided_at?"
                 from moderation_decisions d
                 left join users o on o.id = d.owner_id
                 left join users s on s.id = d.staff_id
                 left join appeals a on a.decision_id = d.id "# + $tail
            $(, $arg)*
        )
    };
}

/// One decision.
///
/// # Errors
/// Those of the statement.
pub async fn decision(
    db: impl PgExecutor<'_>,
    id: DecisionId,
) -> Result<Option<Decision>, sqlx::Error> {
    let row = select_decision!("where d.id = $1", id.0)
        .fetch_optional(db)
        .await?;
    Ok(row.map(Into::into))
}

/// What was decided on one thing, newest first.
///
/// # Errors
/// Those of the statement.
pub async fn decisions_on(
    db: impl PgExecutor<'_>,
    target: Target,
    id: Uuid,
    wanted: &Wanted,
) -> Result<Page<Decision>, sqlx::Error> {
    let rows = select_decision!(
        "where d.target = $1 and d.target_id = $2 and ($3::uuid is null or d.id < $3) order by d.id desc limit $4",
        target.word(),
        id,
        wanted.place::<Uuid>(),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| row.id).map(Into::into))
}

/// What was decided on anything of one person's, newest first. What was dismissed is none of it: they never heard of it.
///
/// # Errors
/// Those of the statement.
pub async fn decisions_of(
    db: impl PgExecutor<'_>,
    owner: UserId,
    wanted: &Wanted,
) -> Result<Page<Decision>, sqlx::Error> {
    let rows = select_decision!(
        "where d.owner_id = $1 and d.action <> 'dismiss' and ($2::uuid is null or d.id < $2) order by d.id desc limit $3",
        owner.0,
        wanted.place::<Uuid>(),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| row.id).map(Into::into))
}

/// Writes a decision; `false` if one of its kind stands already.
///
/// # Errors
/// Those of the statement.
pub async fn insert(db: impl PgExecutor<'_>, new: &NewDecision<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into moderation_decisions (id, target, target_id, owner_id, action, reason, note, excerpt, until, staff_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (target, target_id) where action in ('hide', 'suspend') and lifted_at is null do nothing",
        new.id.0,
        new.target.word(),
        new.target_id,
        new.owner.map(|id| id.0),
        new.action.word(),
        new.reason.map(Reason::word),
        new.note,
        new.excerpt,
        new.until,
        new.staff.map(|id| id.0),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a decision back; `false` if it does not stand. What it did is undone by [`super::show_video`] and its kin.
///
/// # Errors
/// Those of the statement.
pub async fn lift(
    db: impl PgExecutor<'_>,
    id: DecisionId,
    staff: Option<UserId>,
    why: LiftedFor,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update moderation_decisions set lifted_at = now(), lifted_by = $2, lifted_for = $3
          where id = $1 and lifted_at is null and action in ('hide', 'suspend')",
        id.0,
        staff.map(|id| id.0),
        why.word(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
