//! Beginning an upload: within the quota, and once per file.
//!
//! A lock on the person's row puts their beginnings in order, so that two at once see each other: neither do they
//! overshoot the quota together, nor do they begin the same file twice.

use sqlx::PgConnection;

use super::{NewUpload, Upload, Usage};
use crate::ids::UserId;

/// Whether a quota is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// The account's own, or this one; `None` for no limit.
    Kept(Option<u64>),
    /// An operator decided otherwise.
    Ignored,
}

/// How long a file that was begun stays the same one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Once {
    /// While its upload is pending.
    #[default]
    Pending,
    /// As long as there is a video of it.
    Kept,
    /// For good, even if its video was deleted.
    Ever,
}

/// What became of the wish to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It was begun.
    New(Upload),
    /// The same file was begun before.
    Known(Upload),
    /// It would not fit.
    OverQuota(Usage),
}

/// Stores a new pending upload, whose size counts from now on, unless the same file is known or it would not fit. Its
/// place at the store must have been made before; give that up again unless the answer is [`Reserved::New`].
///
/// # Errors
/// Those of the statements.
pub async fn reserve(
    conn: &mut PgConnection,
    new: NewUpload,
    quota: Quota,
) -> Result<Reserved, sqlx::Error> {
    lock(conn, new.user).await?;
    // Statements after the lock see what the one who held it before has committed.
    if let Some(fingerprint) = &new.fingerprint {
        let same = Upload::find_same(&mut *conn, new.user, fingerprint, new.size, new.once).await?;
        if let Some(upload) = same {
            return Ok(Reserved::Known(upload));
        }
    }
    if let Quota::Kept(default) = quota {
        let usage = Usage::of(&mut *conn, new.user, default).await?;
        if !usage.fits(new.size) {
            return Ok(Reserved::OverQuota(usage));
        }
    }
    Upload::create(conn, new).await.map(Reserved::New)
}

/// Not `for update`: rows that refer to the person may be inserted meanwhile.
async fn lock(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select id from users where id = $1 for no key update",
        user.0
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}
