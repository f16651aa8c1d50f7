//! The end of an account: marked and locked at once, emptied by a job, then gone.

use sqlx::{PgConnection, PgExecutor};

use super::User;
use crate::{
    email::{Language, Recipient},
    ids::{UploadId, UserId, VideoId},
};

/// Things of one look.
const BATCH: i64 = 50;

/// What is left of somebody that other rows and objects hang on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers {
    pub videos: Vec<VideoId>,
    /// Uploads that are under way.
    pub uploads: Vec<UploadId>,
}

impl Leftovers {
    /// The next of them, at most 50 of each.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn of(conn: &mut PgConnection, user: UserId) -> Result<Self, sqlx::Error> {
        let videos = sqlx::query_scalar!(
            "select id from videos where user_id = $1 limit $2",
            user.0,
            BATCH
        )
        .fetch_all(&mut *conn)
        .await?;
        let uploads = sqlx::query_scalar!(
            "select id from uploads where user_id = $1 and status = 'pending' limit $2",
            user.0,
            BATCH
        )
        .fetch_all(conn)
        .await?;
        Ok(Self {
            videos: videos.into_iter().map(VideoId).collect(),
            uploads: uploads.into_iter().map(UploadId).collect(),
        })
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.videos.is_empty() && self.uploads.is_empty()
    }
}

impl User {
    /// Locks the account for good: nobody logs in any more, and a job deletes it. False if that was asked before.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn begin_farewell(db: impl PgExecutor<'_>, id: UserId) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set is_active = false, deleting_since = now() where id = $1 and deleting_since is null",
            id.0
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Locks the row of somebody who is leaving, so that nothing is added to them any more, and says where their last
    /// mail goes; `None` if they are gone, or are not leaving.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock_leaving(
        conn: &mut PgConnection,
        id: UserId,
    ) -> Result<Option<Recipient>, sqlx::Error> {
        let row = sqlx::query!(
            r#"select username::text as "name!", email::text as "address!", language
                 from users where id = $1 and deleting_since is not null for update"#,
            id.0
        )
        .fetch_optional(conn)
        .await?;
        Ok(row.map(|row| Recipient {
            // The account is gone when it is sent.
            user: None,
            address: row.address,
            name: row.name,
            language: Language::of_tag(&row.language),
        }))
    }

    /// Deletes the row and all that hangs on it. Who paid keeps a row without a name: what was paid has to be accounted
    /// for.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn erase(conn: &mut PgConnection, id: UserId) -> Result<(), sqlx::Error> {
        // They name the person, and are of no use to anybody.
        sqlx::query!("delete from emails where user_id = $1", id.0)
            .execute(&mut *conn)
            .await?;
        let gone = sqlx::query!(
            "delete from users where id = $1 and not exists(select from payments where user_id = $1)",
            id.0
        )
        .execute(&mut *conn)
        .await?;
        if gone.rows_affected() == 1 {
            return Ok(());
        }
        for statement in [
            "delete from sessions where user_id = $1",
            "delete from second_factors where user_id = $1",
            "delete from account_links where user_id = $1",
            "delete from uploads where user_id = $1",
        ] {
            sqlx::query(statement)
                .bind(id.0)
                .execute(&mut *conn)
                .await?;
        }
        sqlx::query!(
            "update users set username = 'deleted-' || left(replace(id::text, '-', ''), 32)::citext,
                    email = (id::text || '@deleted.invalid')::citext, password = '', avatar = null, bio = '',
                    email_verified_at = null, time_zone = null, role = 'user'
              where id = $1",
            id.0
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
