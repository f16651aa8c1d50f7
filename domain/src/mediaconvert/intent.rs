//! The row of a job at MediaConvert, from before it is asked for until it has ended.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Outputs, Seen};
use crate::ids::VideoId;

/// Where a job of theirs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum JobStatus {
    /// Asked for, or about to be; no answer yet.
    Intended,
    Submitted,
    Progressing,
    Complete,
    Canceled,
    Error,
    /// They do not know it, or what it made is gone.
    Lost,
}

impl JobStatus {
    /// As the column spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Submitted => "submitted",
            Self::Progressing => "progressing",
            Self::Complete => "complete",
            Self::Canceled => "canceled",
            Self::Error => "error",
            Self::Lost => "lost",
        }
    }

    /// Nothing comes after it.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Complete | Self::Canceled | Self::Error | Self::Lost
        )
    }
}

/// What was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The token.
    pub id: Uuid,
    pub video: VideoId,
    pub generation: i32,
    pub round: i16,
    /// Counts what this round asked for.
    pub attempt: i16,
    pub external_id: Option<String>,
    pub status: JobStatus,
    pub percent: i16,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Before the first call; none: nobody has called.
    pub asked_at: Option<DateTime<Utc>>,
    pub last_heard_at: DateTime<Utc>,
    pub moved_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub waiter: Option<Uuid>,
}

/// The columns of [`Intent`], for all queries that read it.
macro_rules! select_intent {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Intent,
            r#"select id, video_id as "video: _", generation, round, attempt, external_id, status as "status: _", percent,
                      error_code, error_message, created_at, asked_at, last_heard_at, moved_at, ended_at, waiter
                 from mediaconvert_jobs "# + $tail
            $(, $arg)*
        )
    };
}

impl Intent {
    /// Where its outputs lie.
    pub fn outputs(&self) -> Outputs {
        Outputs {
            video: self.video,
            generation: self.generation,
            round: self.round,
            attempt: self.attempt,
        }
    }

    /// What a round goes on with: a job of this or an earlier round that came to its end, whose outputs are paid for, or
    /// its own newest, which is noted now if there was none.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn begin(
        conn: &mut sqlx::PgConnection,
        video: VideoId,
        generation: i32,
        round: i16,
    ) -> Result<Self, sqlx::Error> {
        if let Some(noted) = Self::current(&mut *conn, video, generation, round).await? {
            return Ok(noted);
        }
        Self::note(&mut *conn, video, generation, round, 1).await?;
        Self::current(conn, video, generation, round)
            .await?
            .ok_or(sqlx::Error::RowNotFound)
    }

    /// Notes another attempt after this one, which is to be given up.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn again(&self, db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        let next = self.attempt.saturating_add(1);
        Self::note(db, self.video, self.generation, self.round, next).await
    }

    async fn note(
        db: impl PgExecutor<'_>,
        video: VideoId,
        generation: i32,
        round: i16,
        attempt: i16,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "insert into mediaconvert_jobs (id, video_id, generation, round, attempt) values ($1, $2, $3, $4, $5)
             on conflict (video_id, generation, round, attempt) do nothing",
            Uuid::now_v7(),
            video.0,
            generation,
            round,
            attempt,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// What a round goes on with, if it was noted: see [`Intent::begin`].
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn current(
        db: impl PgExecutor<'_>,
        video: VideoId,
        generation: i32,
        round: i16,
    ) -> Result<Option<Self>, sqlx::Error> {
        select_intent!(
            "where video_id = $1 and generation = $2 and (status = 'complete' and round <= $3 or round = $3)
              order by (status = 'complete') desc, round desc, attempt desc limit 1",
            video.0,
            generation,
            round,
        )
        .fetch_optional(db)
        .await
    }

    /// By its token.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Self>, sqlx::Error> {
        select_intent!("where id = $1", id).fetch_optional(db).await
    }

    /// Those of a video that have not ended: one, unless one was given up and another begun at once.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn open_of(
        db: impl PgExecutor<'_>,
        video: VideoId,
    ) -> Result<Vec<Self>, sqlx::Error> {
        select_intent!(
            "where video_id = $1 and ended_at is null order by id",
            video.0
        )
        .fetch_all(db)
        .await
    }

    /// Notes that the call is about to be made; the first time counts. `false`: it was given up meanwhile, so do not.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn asking(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update mediaconvert_jobs set asked_at = coalesce(asked_at, clock_timestamp())
              where id = $1 and ended_at is null",
            id
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes which job waits for it.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn wait(db: impl PgExecutor<'_>, id: Uuid, waiter: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update mediaconvert_jobs set waiter = $2 where id = $1 and waiter is distinct from $2",
            id,
            waiter
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Takes what they said. Signs of life come late, twice and in any order: a status only goes forward, a percent only
    /// up, and what has ended stays as it ended. Answers the row as it is then; none if there is no such row.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn hear(
        conn: &mut sqlx::PgConnection,
        id: Uuid,
        seen: &Seen,
    ) -> Result<Option<Self>, sqlx::Error> {
        let message = seen.message.as_deref().map(|m| clipped(m, 2000));
        sqlx::query!(
            "with said as (
                 select $2::text as status, greatest(percent, $3) as percent, array['intended', 'submitted', 'progressing',
                        'complete', 'canceled', 'error', 'lost'] as ranks
                   from mediaconvert_jobs where id = $1
             ), now as (
                 select j.id, case when array_position(s.ranks, s.status) > array_position(s.ranks, j.status)
                                   then s.status else j.status end as status, s.percent
                   from mediaconvert_jobs j, said s where j.id = $1
             )
             update mediaconvert_jobs j
                set external_id = coalesce(j.external_id, $4), status = n.status, percent = n.percent,
                    error_code = coalesce($5, j.error_code), error_message = coalesce($6, j.error_message),
                    submitted_at = coalesce(j.submitted_at, clock_timestamp()), last_heard_at = clock_timestamp(),
                    moved_at = case when (n.status, n.percent) is distinct from (j.status, j.percent)
                                    then clock_timestamp() else j.moved_at end,
                    ended_at = case when n.status in ('complete', 'canceled', 'error', 'lost') then clock_timestamp() end
               from now n where j.id = n.id and j.ended_at is null",
            id,
            seen.status.word(),
            seen.percent,
            seen.id,
            seen.code,
            message,
        )
        .execute(&mut *conn)
        .await?;
        Self::find(conn, id).await
    }

    /// Nobody has asked for it, and from now on nobody will; `false` if somebody has.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn give_up(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update mediaconvert_jobs set status = 'lost', ended_at = coalesce(ended_at, clock_timestamp())
              where id = $1 and asked_at is null",
            id
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Nothing will come of it: they never heard of it, or what it made is gone.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lose(db: impl PgExecutor<'_>, id: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update mediaconvert_jobs set status = 'lost', ended_at = coalesce(ended_at, clock_timestamp())
              where id = $1",
            id
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// Whether a job that has not ended may still write below one of `prefixes`.
///
/// # Errors
/// Those of the statement.
pub async fn is_writing(db: impl PgExecutor<'_>, prefixes: &[String]) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from mediaconvert_jobs j, unnest($1::text[]) as p(prefix),
                      (values ('hls/'), ('images/')) as root(name)
                where j.ended_at is null and j.asked_at is not null
                  and starts_with(root.name || j.video_id || '/' || j.generation || '/mc-' || j.round || '-' || j.attempt || '/', p.prefix))
               as "writing!""#,
        prefixes
    )
    .fetch_one(db)
    .await
}

/// Open ones that gave no sign of life for `silence`, the longest silent first.
///
/// # Errors
/// Those of the statement.
pub async fn silent(
    db: impl PgExecutor<'_>,
    silence: Duration,
    limit: i64,
) -> Result<Vec<Intent>, sqlx::Error> {
    select_intent!(
            "where ended_at is null
            and last_heard_at < clock_timestamp() - make_interval(secs => $1) order by last_heard_at limit $2",
        silence.as_secs_f64(),
        limit,
    )
    .fetch_all(db)
    .await
}

/// Drops those that ended `age` ago and whose video is gone; the others tell operators what happened.
///
/// # Errors
/// Those of the statement.
pub async fn forget_old(db: impl PgExecutor<'_>, age: Duration) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from mediaconvert_jobs j where j.ended_at < clock_timestamp() - make_interval(secs => $1)
            and not exists (select from videos v where v.id = j.video_id)",
        age.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The beginning of a text, at most `most` bytes.
fn clipped(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
