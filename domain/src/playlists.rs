//! Playlists and the list of what to watch later.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::{
    ids::{PlaylistId, UserId, VideoId},
    keyset::{Page, Wanted},
    videos::Visibility,
};

/// The most items of a list.
pub const MOST_ITEMS: i64 = 5_000;
/// The most lists of a person.
pub const MOST_LISTS: i64 = 500;

/// A list with what its card shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Playlist {
    pub id: PlaylistId,
    pub user_id: UserId,
    pub username: String,
    /// Whether it is its owner's list of what to watch later.
    pub watch_later: bool,
    pub title: String,
    pub description: String,
    pub visibility: Visibility,
    pub items: i64,
    /// The first video that everybody may see, for its picture.
    pub cover: Option<VideoId>,
    /// Whether the video that was asked for is in it.
    pub has_video: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A video in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub video: VideoId,
    pub position: i32,
    /// Whether who asks may watch it.
    pub visible: bool,
    pub added_at: DateTime<Utc>,
}

/// What its owner changes; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub title: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<Visibility>,
}

/// Why a video was not put into a list.
#[derive(Debug, thiserror::Error)]
pub enum PlaylistError {
    #[error("the list has no room for more")]
    Full,
    #[error("there are too many lists")]
    TooMany,
    #[error("failed to change the list")]
    Database(#[from] sqlx::Error),
}

/// The columns of [`Playlist`]; `$1` is a video that may be in it.
macro_rules! select_playlist {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Playlist,
            r#"select p.id as "id: _", p.user_id as "user_id: _", u.username::text as "username!",
                      p.kind = 'watch_later' as "watch_later!", p.title, p.description, p.visibility as "visibility: _",
                      (select count(*) from playlist_items i join videos v on v.id = i.video_id
                        where i.playlist_id = p.id and v.deleted_at is null) as "items!",
                      (select i.video_id from playlist_items i join videos v on v.id = i.video_id
                        where i.playlist_id = p.id and v.deleted_at is null and (v.visibility <> 'private' or v.user_id = p.user_id)
                          and v.thumbnail_key is not null
                        order by i.position limit 1) as "cover: _",
                      exists (select from playlist_items i where i.playlist_id = p.id and i.video_id = $1) as "has_video!",
                      p.created_at, p.updated_at
                 from playlists p join users u on u.id = p.user_id "# + $tail
            $(, $arg)*
        )
    };
}

impl Playlist {
    /// The list, whoever asks.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        id: PlaylistId,
    ) -> Result<Option<Self>, sqlx::Error> {
        select_playlist!("where p.id = $2", None::<uuid::Uuid>, id.0)
            .fetch_optional(db)
            .await
    }

    /// The lists of a person, what to watch later first, then the latest change first; `video` asks whether it is in them.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of(
        db: impl PgExecutor<'_>,
        owner: UserId,
        video: Option<VideoId>,
        public_only: bool,
    ) -> Result<Vec<Self>, sqlx::Error> {
        select_playlist!(
            "where p.user_id = $2 and (not $3 or p.visibility = 'public')
             order by p.kind = 'watch_later' desc, p.updated_at desc, p.id limit $4",
            video.map(|id| id.0),
            owner.0,
            public_only,
            MOST_LISTS + 1,
        )
        .fetch_all(db)
        .await
    }

    /// Makes a list.
    ///
    /// # Errors
    /// [`PlaylistError::TooMany`], or those of the statement.
    pub async fn create(
        db: impl PgExecutor<'_>,
        owner: UserId,
        title: &str,
        description: &str,
        visibility: Visibility,
    ) -> Result<PlaylistId, PlaylistError> {
        let id = PlaylistId::new();
        let made = sqlx::query!(
            "insert into playlists (id, user_id, title, description, visibility)
             select $1, $2, $3, $4, $5
              where (select count(*) from playlists where user_id = $2 and kind = 'list') < $6",
            id.0,
            owner.0,
            title,
            description,
            visibility.word(),
            MOST_LISTS,
        )
        .execute(db)
        .await?;
        match made.rows_affected() {
            0 => Err(PlaylistError::TooMany),
            _ => Ok(id),
        }
    }

    /// A person's list of what to watch later, made when it is missing.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn watch_later(
        conn: &mut PgConnection,
        owner: UserId,
    ) -> Result<PlaylistId, sqlx::Error> {
        sqlx::query!(
            "insert into playlists (id, user_id, kind, title) values ($1, $2, 'watch_later', 'Watch later')
             on conflict (user_id) where kind = 'watch_later' do nothing",
            PlaylistId::new().0,
            owner.0,
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query_scalar!(
            r#"select id as "id: PlaylistId" from playlists where user_id = $1 and kind = 'watch_later'"#,
            owner.0
        )
        .fetch_one(conn)
        .await
    }

    /// Applies what the owner changed; `false` if it is not theirs, or the list of what to watch later.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn change(
        db: impl PgExecutor<'_>,
        id: PlaylistId,
        owner: UserId,
        changes: &Changes,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update playlists set title = coalesce($3, title), description = coalesce($4, description),
                    visibility = coalesce($5, visibility)
              where id = $1 and user_id = $2 and kind = 'list'",
            id.0,
            owner.0,
            changes.title,
            changes.description,
            changes.visibility.map(Visibility::word),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a list, not its videos; `false` if it is not theirs, or the list of what to watch later.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn delete(
        db: impl PgExecutor<'_>,
        id: PlaylistId,
        owner: UserId,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "delete from playlists where id = $1 and user_id = $2 and kind = 'list'",
            id.0,
            owner.0
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Locks a list of this owner until the transaction ends, and marks it as changed; `false` if it is not theirs. Whoever
/// changes its items begins with this.
///
/// # Errors
/// Those of the statement.
pub async fn lock(
    conn: &mut PgConnection,
    id: PlaylistId,
    owner: UserId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update playlists set updated_at = now() where id = $1 and user_id = $2",
        id.0,
        owner.0
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a video at the end of a locked list; twice is once.
///
/// # Errors
/// [`PlaylistError::Full`], or those of the statements.
pub async fn add(
    conn: &mut PgConnection,
    id: PlaylistId,
    video: VideoId,
) -> Result<(), PlaylistError> {
    let done = sqlx::query!(
        "insert into playlist_items (playlist_id, video_id, position)
         select $1, $2, count(*)::int4 from playlist_items where playlist_id = $1 having count(*) < $3
         on conflict do nothing",
        id.0,
        video.0,
        MOST_ITEMS,
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 && !contains(conn, id, video).await? {
        return Err(PlaylistError::Full);
    }
    Ok(())
}

async fn contains(
    conn: &mut PgConnection,
    id: PlaylistId,
    video: VideoId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from playlist_items where playlist_id = $1 and video_id = $2) as "contains!""#,
        id.0,
        video.0
    )
    .fetch_one(conn)
    .await
}

/// Takes a video out of a locked list; twice is once.
///
/// # Errors
/// Those of the statement.
pub async fn remove(
    conn: &mut PgConnection,
    id: PlaylistId,
    video: VideoId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from playlist_items where playlist_id = $1 and video_id = $2",
        id.0,
        video.0
    )
    .execute(&mut *conn)
    .await?;
    renumber(conn, id).await
}

/// Moves a video of a locked list before another one, or with `None` to the end. `false` if one of them is not in it.
///
/// # Errors
/// Those of the statements.
pub async fn put_before(
    conn: &mut PgConnection,
    id: PlaylistId,
    video: VideoId,
    before: Option<VideoId>,
) -> Result<bool, sqlx::Error> {
    if !contains(&mut *conn, id, video).await? {
        return Ok(false);
    }
    // A deleted video takes its item along and leaves a gap: numbered anew first, so that there is a place between any two.
    renumber(&mut *conn, id).await?;
    let target = match before {
        Some(before) if before == video => return Ok(true),
        Some(before) => {
            sqlx::query_scalar!(
                "select position from playlist_items where playlist_id = $1 and video_id = $2",
                id.0,
                before.0
            )
            .fetch_optional(&mut *conn)
            .await?
        }
        None => Some(i32::MAX),
    };
    let Some(target) = target else {
        return Ok(false);
    };
    sqlx::query!(
        "with ordered as (
             select video_id, row_number() over (order by case when video_id = $2 then $3::int8 * 2 - 1 else position::int8 * 2 end) - 1 as n
               from playlist_items where playlist_id = $1)
         update playlist_items i set position = o.n::int4
           from ordered o
          where i.playlist_id = $1 and i.video_id = o.video_id and i.position <> o.n",
        id.0,
        video.0,
        i64::from(target),
    )
    .execute(conn)
    .await?;
    Ok(true)
}

async fn renumber(conn: &mut PgConnection, id: PlaylistId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with ordered as (
             select video_id, row_number() over (order by position, video_id) - 1 as n
               from playlist_items where playlist_id = $1)
         update playlist_items i set position = o.n::int4
           from ordered o
          where i.playlist_id = $1 and i.video_id = o.video_id and i.position <> o.n",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The items of a list in order. Others than its owner get those alone that they may watch.
///
/// # Errors
/// Those of the statement.
pub async fn items(
    db: impl PgExecutor<'_>,
    list: &Playlist,
    viewer: Option<UserId>,
    wanted: &Wanted,
) -> Result<Page<Item>, sqlx::Error> {
    let after: Option<(i32, uuid::Uuid)> = wanted.place();
    let rows = sqlx::query_as!(
        Item,
        r#"select i.video_id as "video: _", i.position, i.added_at,
                  (v.deleted_at is null and (v.visibility <> 'private' or v.user_id = $2)) is true as "visible!"
             from playlist_items i join videos v on v.id = i.video_id
            where i.playlist_id = $1 and ($3 or (v.deleted_at is null and (v.visibility <> 'private' or v.user_id = $2)) is true)
              and ($4::int4 is null or (i.position, i.video_id) > ($4, $5::uuid))
            order by i.position, i.video_id limit $6"#,
        list.id.0,
        viewer.map(|id| id.0),
        viewer == Some(list.user_id),
        after.map(|place| place.0),
        after.map(|place| place.1),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| (row.position, row.video.0)))
}
