//! Pictures of people on their way to being shown.

use sqlx::{PgConnection, PgExecutor};

use crate::ids::{AvatarId, UserId};

/// How far a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AvatarStatus {
    /// The file is not there yet.
    Pending,
    /// A job makes the sizes.
    Processing,
    /// Shown.
    Ready,
    /// Refused; a code says why.
    Failed,
}

impl AvatarStatus {
    fn from_column(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "processing" => Self::Processing,
            "ready" => Self::Ready,
            _ => Self::Failed,
        }
    }
}

/// A picture of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avatar {
    pub id: AvatarId,
    pub user: UserId,
    pub status: AvatarStatus,
    pub size: u64,
    pub error_code: Option<String>,
}

impl Avatar {
    /// Everything of this picture lies below.
    pub fn folder(id: AvatarId) -> String {
        format!("avatars/{id}/")
    }

    /// Where the browser puts the file.
    pub fn source_key(id: AvatarId) -> String {
        format!("avatars/{id}/source")
    }

    /// Where the square of this edge is.
    pub fn key(id: AvatarId, edge: u32) -> String {
        format!("avatars/{id}/{edge}.jpg")
    }

    /// The address of the picture that `users.avatar` names, for pages.
    pub fn address(folder: &str) -> Option<String> {
        let id = folder.strip_prefix("avatars/")?.strip_suffix('/')?;
        Some(format!("/api/avatars/{id}/256"))
    }

    /// Writes one down that is about to be sent.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn begin(
        db: impl PgExecutor<'_>,
        user: UserId,
        content_type: &str,
        size: u64,
    ) -> Result<AvatarId, sqlx::Error> {
        let id = AvatarId::new();
        sqlx::query!(
            "insert into avatars (id, user_id, content_type, size) values ($1, $2, $3, $4)",
            id.0,
            user.0,
            content_type,
            i64::try_from(size).unwrap_or(i64::MAX),
        )
        .execute(db)
        .await?;
        Ok(id)
    }

    /// One's own, in any state.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        id: AvatarId,
        user: UserId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            "select status, size, error_code from avatars where id = $1 and user_id = $2",
            id.0,
            user.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Self {
            id,
            user,
            status: AvatarStatus::from_column(&row.status),
            size: row.size.unsigned_abs(),
            error_code: row.error_code,
        }))
    }

    /// Whether this picture is one that is shown.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn is_shown(db: impl PgExecutor<'_>, id: AvatarId) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select exists(select from avatars where id = $1 and status = 'ready') as "shown!""#,
            id.0
        )
        .fetch_one(db)
        .await
    }

    /// The file is there; false if that was known.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn receive(db: impl PgExecutor<'_>, id: AvatarId) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update avatars set status = 'processing' where id = $1 and status = 'pending'",
            id.0
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The picture was refused.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn refuse(
        db: impl PgExecutor<'_>,
        id: AvatarId,
        code: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update avatars set status = 'failed', error_code = $2 where id = $1 and status = 'processing'",
            id.0,
            code
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Shows this picture of `user` from now on, or with `None` none. Returns the folders that nobody needs any more:
    /// the rows of what was shown before, and of pictures older than this one that are still on their way, are gone.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn show(
        conn: &mut PgConnection,
        user: UserId,
        picture: Option<AvatarId>,
    ) -> Result<Vec<String>, sqlx::Error> {
        // The person's row decides between two pictures that are ready at once.
        let shown = sqlx::query!(
            "update users set avatar = $2 where id = $1
                and ($3::uuid is null or exists(select from avatars where id = $3 and user_id = $1 and status = 'processing'))",
            user.0,
            picture.map(Self::folder),
            picture.map(|id| id.0),
        )
        .execute(&mut *conn)
        .await?;
        if shown.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        if let Some(picture) = picture {
            sqlx::query!(
                "update avatars set status = 'ready' where id = $1",
                picture.0
            )
            .execute(&mut *conn)
            .await?;
        }
        // Ids sort by time: what was begun later is still wanted.
        let old = sqlx::query_scalar!(
            "delete from avatars where user_id = $1 and ($2::uuid is null or id < $2) returning id",
            user.0,
            picture.map(|id| id.0),
        )
        .fetch_all(conn)
        .await?;
        Ok(old
            .into_iter()
            .map(|id| Self::folder(AvatarId(id)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_an_address() {
        let id = AvatarId::new();
        assert_eq!(
            Avatar::address(&Avatar::folder(id)),
            Some(format!("/api/avatars/{id}/256"))
        );
        assert_eq!(Avatar::address("elsewhere"), None);
    }
}
