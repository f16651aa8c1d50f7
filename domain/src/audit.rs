//! Who of staff did what. Rows are written in the transaction of what they tell of, and never changed (the table refuses).

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    ids::UserId,
    keyset::{Page, Wanted},
};

/// Who acts, and by which request.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// None: the system itself, or somebody at the command line.
    pub id: Option<UserId>,
    /// The name as it is now.
    pub name: &'a str,
    /// That of the log lines.
    pub request: Option<&'a str>,
}

impl Actor<'static> {
    /// What happens by itself.
    pub const SYSTEM: Self = Self {
        id: None,
        name: "system",
        request: None,
    };
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// A stable word: hide, accept_appeal.
    pub action: &'a str,
    /// To what kind of thing.
    pub target: &'a str,
    pub target_id: Option<Uuid>,
    pub reason: &'a str,
    /// What of it was so, and is so now: no secrets.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    pub id: Uuid,
    pub actor_id: Option<UserId>,
    pub actor: String,
    pub action: String,
    pub target: String,
    pub target_id: Option<Uuid>,
    pub reason: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub request_id: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// What of the log is wanted; what is none is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub target: Option<Uuid>,
    pub actor: Option<UserId>,
}

/// Writes a row.
///
/// # Errors
/// Those of the statement.
pub async fn write(
    db: impl PgExecutor<'_>,
    actor: &Actor<'_>,
    entry: Entry<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_log (id, actor_id, actor, action, target, target_id, reason, before, after, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        Uuid::now_v7(),
        actor.id.map(|id| id.0),
        actor.name,
        entry.action,
        entry.target,
        entry.target_id,
        entry.reason,
        entry.before,
        entry.after,
        actor.request,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The log, newest first.
///
/// # Errors
/// Those of the statement.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    wanted: &Wanted,
) -> Result<Page<Audited>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Audited,
        r#"select id, actor_id as "actor_id: _", actor, action, target, target_id, reason, before, after, request_id, created_at
             from audit_log
            where ($1::uuid is null or target_id = $1) and ($2::uuid is null or actor_id = $2)
              and ($3::uuid is null or id < $3)
            order by id desc limit $4"#,
        filter.target,
        filter.actor.map(|id| id.0),
        wanted.place::<Uuid>(),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| row.id))
}
