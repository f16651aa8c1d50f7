//! A mail's row: whether it went out.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Language, Message};
use crate::ids::{EmailId, UserId};

/// How far a mail is; `migrations/app/0013_emails.sql` tells what each state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EmailState {
    Queued,
    Sending,
    Sent,
    Failed,
    Unknown,
    Dropped,
}

/// Who gets a mail, as they were when it was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Whose account it is, if there is one.
    pub user: Option<UserId>,
    pub address: String,
    pub name: String,
    pub language: Language,
}

/// A mail to be queued.
#[derive(Debug, Clone, Copy)]
pub struct NewEmail<'a> {
    /// What makes it this mail and no other, such as `video_ready:{video}:1`: said twice to one recipient, it is sent once.
    pub key: &'a str,
    pub to: &'a Recipient,
    pub message: &'a Message,
}

/// A mail's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    pub id: EmailId,
    pub to: Recipient,
    pub state: EmailState,
    /// The run that gives it to a server, or gave it.
    pub run_no: Option<i32>,
}

impl Recipient {
    /// A person at the address of their account; none if there is no such person, or they are locked out.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of(db: impl PgExecutor<'_>, user: UserId) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            r#"select username::text as "name!", email::text as "address!", language
                 from users where id = $1 and is_active"#,
            user.0
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Self {
            user: Some(user),
            address: row.address,
            name: row.name,
            language: Language::of_tag(&row.language),
        }))
    }
}

/// Writes the row of a mail; `None` if there is one of this key and recipient. Enqueue the job that sends it in the same
/// transaction (`millrace_jobs::flows::send_email` does both).
///
/// # Errors
/// Those of the statement.
pub async fn queue(
    conn: &mut PgConnection,
    new: NewEmail<'_>,
) -> Result<Option<EmailId>, sqlx::Error> {
    let id = EmailId::new();
    let done = sqlx::query!(
        "insert into emails (id, key, recipient, name, language, user_id, message)
         values ($1, $2, $3::text::citext, $4, $5, $6, $7)
         on conflict on constraint emails_key_recipient do nothing",
        id.0,
        new.key,
        new.to.address,
        new.to.name,
        new.to.language.tag(),
        new.to.user.map(|user| user.0),
        new.message.word(),
    )
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

impl Email {
    /// The row, if it was not swept.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: EmailId) -> Result<Option<Self>, sqlx::Error> {
        struct Row {
            user_id: Option<Uuid>,
            address: String,
            name: String,
            language: String,
            state: EmailState,
            run_no: Option<i32>,
        }
        let row = sqlx::query_as!(
            Row,
            r#"select user_id, recipient::text as "address!", name, language, state as "state: _", run_no
                 from emails where id = $1"#,
            id.0
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Self {
            id,
            to: Recipient {
                user: row.user_id.map(UserId),
                address: row.address,
                name: row.name,
                language: Language::of_tag(&row.language),
            },
            state: row.state,
            run_no: row.run_no,
        }))
    }

    /// Takes the mail for a run that is about to send it; false if another run has it or had it. What failed may be tried
    /// again by somebody who says so: it is known that it did not go out.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn claim(
        db: impl PgExecutor<'_>,
        id: EmailId,
        run_no: i32,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update emails set state = 'sending', run_no = $2, answer = null
              where id = $1 and state in ('queued', 'failed')",
            id.0,
            run_no
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes how the sending of a run ended. The run knows better than one that came later and could only say unknown.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn answered(
        db: impl PgExecutor<'_>,
        id: EmailId,
        run_no: i32,
        state: EmailState,
        answer: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update emails set state = $3, answer = $4, sent_at = case when $3 = 'sent' then now() end
              where id = $1 and run_no = $2 and state in ('sending', 'unknown')",
            id.0,
            run_no,
            state as EmailState,
            short(answer),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes an end, or a wait, that came before anything was given to a server.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_aside(
        db: impl PgExecutor<'_>,
        id: EmailId,
        state: EmailState,
        why: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update emails set state = $2, answer = $3 where id = $1 and state in ('queued', 'failed')",
            id.0,
            state as EmailState,
            short(why),
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Notes that nobody tries to send it any more. Of one that a run was about to give to a server, nobody can tell. What a
    /// server answered last says more than `why`, and stays.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn given_up(
        db: impl PgExecutor<'_>,
        id: EmailId,
        why: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update emails set state = case state when 'queued' then 'failed' else 'unknown' end,
                    answer = coalesce(nullif(answer, ''), $2)
              where id = $1 and state in ('queued', 'sending')",
            id.0,
            short(why),
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// Answers of servers can be long; PostgreSQL takes no NUL.
fn short(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(500).collect()
}
