//! Single-use links that are sent by mail.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, postgres::types::PgInterval};

use super::{hash_secret, new_secret};
use crate::ids::UserId;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Proves that the address of the account is the person's own.
    VerifyEmail,
    /// Proves that a new address is theirs, and makes it the account's.
    ChangeEmail,
    /// Chooses another password without the old one.
    ResetPassword,
    /// Fetches a copy of what the account holds.
    Export,
    /// Lets somebody who is suspended read why, and appeal.
    Appeal,
}

impl Purpose {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::Export => "export",
            Self::Appeal => "appeal",
        }
    }

    fn from_column(word: &str) -> Option<Self> {
        [
            Self::VerifyEmail,
            Self::ChangeEmail,
            Self::ResetPassword,
            Self::Export,
            Self::Appeal,
        ]
        .into_iter()
        .find(|purpose| purpose.word() == word)
    }

    /// How long such a link is good, in hours.
    pub const fn hours(self) -> u32 {
        match self {
            Self::VerifyEmail | Self::ChangeEmail => 24,
            Self::ResetPassword => 1,
            Self::Export => 7 * 24,
            Self::Appeal => 30 * 24,
        }
    }
}

/// A link that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub user: UserId,
    pub purpose: Purpose,
    /// Where the mail went.
    pub email: String,
}

impl Link {
    /// Makes the token of a link in a mail to `email`. Only its hash is stored: call it where the mail is written.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn mint(
        conn: &mut PgConnection,
        user: UserId,
        purpose: Purpose,
        email: &str,
    ) -> Result<String, sqlx::Error> {
        let (token, hash) = new_secret();
        sqlx::query!(
            "insert into account_links (hash, user_id, purpose, email, expires_at)
             values ($1, $2, $3, $4::text::citext, now() + $5::interval)",
            hash,
            user.0,
            purpose.word(),
            email,
            hours(purpose.hours()),
        )
        .execute(conn)
        .await?;
        Ok(token)
    }

    /// The link of a token, if it is good, left as it is.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, token: &str) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            r#"select l.user_id, l.purpose, l.email::text as "email!"
                 from account_links l join users u on u.id = l.user_id
                where l.hash = $1 and l.used_at is null and l.expires_at > now() and (u.is_active or l.purpose = 'appeal')"#,
            hash_secret(token),
        )
        .fetch_optional(db)
        .await?;
        Ok(row.and_then(|row| {
            Some(Self {
                user: UserId(row.user_id),
                purpose: Purpose::from_column(&row.purpose)?,
                email: row.email,
            })
        }))
    }

    /// Uses a link up, and ends all others of this person and purpose. `None` if it is not good, or not for this. Its
    /// row lock decides between two that use it at once.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn redeem(
        conn: &mut PgConnection,
        token: &str,
        purpose: Purpose,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            r#"update account_links l set used_at = now() from users u
                where l.hash = $1 and l.purpose = $2 and l.used_at is null and l.expires_at > now()
                  and u.id = l.user_id and (u.is_active or l.purpose = 'appeal')
               returning l.user_id, l.email::text as "email!""#,
            hash_secret(token),
            purpose.word(),
        )
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        sqlx::query!(
            "delete from account_links where user_id = $1 and purpose = $2 and used_at is null",
            row.user_id,
            purpose.word(),
        )
        .execute(conn)
        .await?;
        Ok(Some(Self {
            user: UserId(row.user_id),
            purpose,
            email: row.email,
        }))
    }

    /// Ends all links by which an account changes hands, or its data leaves it. For when its password or its address was
    /// changed: what somebody else had asked for before, or finds in the old mailbox, must not undo that. Mail that is
    /// still to be written is meant, too: it asks a [`Holder`].
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn end_all(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
        // First: it waits for whoever is writing a mail under [`Holder::lock`], whose link the next statement then sees.
        sqlx::query!(
            "update users set links_ended = links_ended + 1 where id = $1",
            user.0
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            "delete from account_links
              where user_id = $1 and purpose in ('reset_password', 'change_email', 'export') and used_at is null",
            user.0,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// How often all links of an account were ended. Read it before what shows that somebody may have a link, such as
    /// their password, and put it into the message.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn ended(db: impl PgExecutor<'_>, user: UserId) -> Result<i32, sqlx::Error> {
        let count = sqlx::query_scalar!("select links_ended from users where id = $1", user.0)
            .fetch_optional(db)
            .await?;
        Ok(count.unwrap_or_default())
    }
}

/// An account as it is while a link to it is written into a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Whether the mail goes to the address of the account.
    pub at_home: bool,
    /// See [`Link::ended`].
    pub links_ended: i32,
}

impl Holder {
    /// The account, if it is active, for a mail to `email`. It does not change hands before the transaction ends.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock(
        conn: &mut PgConnection,
        user: UserId,
        email: &str,
    ) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select email = $2::text::citext as "at_home!", links_ended
                 from users where id = $1 and is_active for share"#,
            user.0,
            email,
        )
        .fetch_optional(conn)
        .await
    }
}

fn hours(hours: u32) -> PgInterval {
    let micros = Duration::from_secs(u64::from(hours) * 3600).as_micros();
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(micros).unwrap_or(i64::MAX),
    }
}
