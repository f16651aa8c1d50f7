//! Reports of what breaks rules. Staff decide on them.

use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::ids::{CaseId, CommentId, UserId};

/// What is reported.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Target {
    Video,
    Comment,
    Channel,
}

/// Why.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Reason {
    Spam,
    Harassment,
    Hate,
    Violence,
    Sexual,
    Copyright,
    Misleading,
    Other,
}

impl Target {
    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Comment => "comment",
            Self::Channel => "channel",
        }
    }
}

impl Reason {
    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Harassment => "harassment",
            Self::Hate => "hate",
            Self::Violence => "violence",
            Self::Sexual => "sexual",
            Self::Copyright => "copyright",
            Self::Misleading => "misleading",
            Self::Other => "other",
        }
    }
}

/// What somebody reports.
#[derive(Debug, Clone)]
pub struct NewReport {
    pub target: Target,
    pub target_id: Uuid,
    /// Whose it is.
    pub owner: UserId,
    pub reporter: UserId,
    pub reason: Reason,
    /// What they say about it.
    pub body: String,
    /// The title, comment or name as it is now.
    pub excerpt: String,
}

/// Puts a comment that the word list holds back into the queue of staff; once while it is open.
///
/// # Errors
/// Those of the statement.
pub async fn file_held(
    db: impl PgExecutor<'_>,
    comment: CommentId,
    author: UserId,
    excerpt: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into reports (id, target, target_id, owner_id, reason, excerpt)
         values ($1, 'comment', $2, $3, 'word_list', $4)
         on conflict (target, target_id) where status = 'open' and reporter_id is null do nothing",
        Uuid::now_v7(),
        comment.0,
        author.0,
        excerpt,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Files a report; `false` if the same person's is open already.
///
/// # Errors
/// Those of the statement.
pub async fn file(db: impl PgExecutor<'_>, new: &NewReport) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into reports (id, target, target_id, owner_id, reporter_id, reason, body, excerpt)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (reporter_id, target, target_id) where status = 'open' do nothing",
        Uuid::now_v7(),
        new.target.word(),
        new.target_id,
        new.owner.0,
        new.reporter.0,
        new.reason.word(),
        new.body,
        new.excerpt,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Who filed the reports of a case, newest first, after the report with the id `before`: at most `limit`, each with the
/// id of theirs. What the word list held back nobody reported.
///
/// # Errors
/// Those of the statement.
pub async fn reporters_of(
    db: impl PgExecutor<'_>,
    case: CaseId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Uuid, UserId)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, reporter_id as "reporter_id!" from reports
            where case_id = $1 and reporter_id is not null and ($2::uuid is null or id < $2) order by id desc limit $3"#,
        case.0,
        before,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, UserId(row.reporter_id)))
        .collect())
}
