//! User records.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Role;
use crate::ids::{DecisionId, SessionId, UserId};

/// A person with an account.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub role: Role,
    /// The folder of the avatar in the store.
    pub avatar: Option<String>,
    pub bio: String,
    pub language: String,
    /// An IANA name; `None` for that of the browser.
    pub time_zone: Option<String>,
    /// Whether log-in asks for a second factor.
    pub second_factor: bool,
    /// Whether the address was proven to be theirs.
    pub email_verified: bool,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
}

/// What a registration stores. The password is already hashed.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    pub username: &'a str,
    pub email: &'a str,
    pub password_hash: &'a str,
    pub role: Role,
    pub language: &'a str,
}

/// What a person changes of their profile; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    pub bio: Option<String>,
    /// `zh-TW` or `en`.
    pub language: Option<String>,
    /// An IANA name, or nothing for that of the browser.
    pub time_zone: Option<String>,
}

/// A user with the hash to compare a password with.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: User,
    pub password_hash: String,
}

/// Why a user was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("the user name is taken")]
    UsernameTaken,
    #[error("the email address is taken")]
    EmailTaken,
    #[error("failed to store the user")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|e| e.constraint()) {
            Some("users_username_key") => Self::UsernameTaken,
            Some("users_email_key") => Self::EmailTaken,
            _ => Self::Database(error),
        }
    }
}

struct Row {
    id: Uuid,
    username: String,
    email: String,
    role: String,
    avatar: Option<String>,
    bio: String,
    language: String,
    time_zone: Option<String>,
    second_factor: bool,
    email_verified: bool,
    is_active: bool,
    created_at: DateTime<Utc>,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId(row.id),
            username: row.username,
            email: row.email,
            role: Role::from_column(&row.role),
            avatar: row.avatar,
            bio: row.bio,
            language: row.language,
            time_zone: row.time_zone,
            second_factor: row.second_factor,
            email_verified: row.email_verified,
            is_active: row.is_active,
            created_at: row.created_at,
        }
    }
}

impl User {
    /// Stores a new user; the constraints decide who was first.
    ///
    /// # Errors
    /// [`UserError::UsernameTaken`] or [`UserError::EmailTaken`], without regard to case.
    pub async fn create(db: impl PgExecutor<'_>, new: NewUser<'_>) -> Result<Self, UserError> {
        let row = sqlx::query_as!(
            Row,
            r#"insert into users (id, username, email, password, role, language)
               values ($1, $2::text::citext, $3::text::citext, $4, $5, $6)
               returning id, username::text as "username!", email::text as "email!", role, avatar, bio, language,
                         time_zone, false as "second_factor!", false as "email_verified!", is_active, created_at"#,
            UserId::new().0,
            new.username,
            new.email,
            new.password_hash,
            new.role.as_str(),
            new.language,
        )
        .fetch_one(db)
        .await?;
        Ok(row.into())
    }

    /// The user with this id, active or not.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select id, username::text as "username!", email::text as "email!", role, avatar, bio, language,
                      time_zone, is_active, created_at,
                      exists(select from second_factors where user_id = $1 and confirmed_at is not null)
                          as "second_factor!",
                      email_verified_at is not null as "email_verified!"
                 from users where id = $1"#,
            id.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// The user behind an access token: active, and its session not revoked. One look-up by three primary keys
    /// on every request, so that a deactivation, a lost role and a sign-out count at once.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn authenticate(
        db: impl PgExecutor<'_>,
        id: UserId,
        session: SessionId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query_as!(
            Row,
            r#"select u.id, u.username::text as "username!", u.email::text as "email!", u.role, u.avatar, u.bio,
                      u.language, u.time_zone, u.is_active, u.created_at,
                      exists(select from second_factors where user_id = $1 and confirmed_at is not null)
                          as "second_factor!",
                      email_verified_at is not null as "email_verified!"
                 from users u join sessions s on s.user_id = u.id
                where u.id = $1 and s.id = $2 and u.is_active and s.revoked_at is null"#,
            id.0,
            session.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// The user who logs in as `identifier`, a user name or an email address. User names hold no `@`, so one
    /// identifier cannot mean two people.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find_login(
        db: impl PgExecutor<'_>,
        identifier: &str,
    ) -> Result<Option<Login>, sqlx::Error> {
        let row = sqlx::query!(
            r#"select id, username::text as "username!", email::text as "email!", role, avatar, bio, language,
                      time_zone, is_active, created_at, password,
                      exists(select from second_factors f where f.user_id = users.id and f.confirmed_at is not null)
                          as "second_factor!",
                      email_verified_at is not null as "email_verified!"
                 from users where username = $1::text::citext or email = $1::text::citext limit 1"#,
            identifier,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Login {
            user: Self {
                id: UserId(row.id),
                username: row.username,
                email: row.email,
                role: Role::from_column(&row.role),
                avatar: row.avatar,
                bio: row.bio,
                language: row.language,
                time_zone: row.time_zone,
                second_factor: row.second_factor,
                email_verified: row.email_verified,
                is_active: row.is_active,
                created_at: row.created_at,
            },
            password_hash: row.password,
        }))
    }

    /// The hash to compare a password with; `None` if there is no such user.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn password_hash(
        db: impl PgExecutor<'_>,
        id: UserId,
    ) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar!("select password from users where id = $1", id.0)
            .fetch_optional(db)
            .await
    }

    /// Gives the user another password, if `old_hash` is still that of theirs: of two changes at once, one counts.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn change_password(
        db: impl PgExecutor<'_>,
        id: UserId,
        old_hash: &str,
        new_hash: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set password = $3 where id = $1 and password = $2",
            id.0,
            old_hash,
            new_hash
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Chooses another password by a link: whatever the old one was.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn reset_password(
        db: impl PgExecutor<'_>,
        id: UserId,
        new_hash: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update users set password = $2 where id = $1",
            id.0,
            new_hash
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// The address is proven, if it is still that of the account; false if it is not.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn verify_email(
        db: impl PgExecutor<'_>,
        id: UserId,
        email: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set email_verified_at = now() where id = $1 and email = $2::text::citext",
            id.0,
            email
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives the account another address, which is proven.
    ///
    /// # Errors
    /// [`UserError::EmailTaken`]
    pub async fn change_email(
        db: impl PgExecutor<'_>,
        id: UserId,
        email: &str,
    ) -> Result<(), UserError> {
        sqlx::query!(
            "update users set email = $2::text::citext, email_verified_at = now() where id = $1",
            id.0,
            email
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Whether an account has this address.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn has_email(db: impl PgExecutor<'_>, email: &str) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select exists(select from users where email = $1::text::citext) as "taken!""#,
            email
        )
        .fetch_one(db)
        .await
    }

    /// Changes what a person says of themselves.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn update_profile(
        db: impl PgExecutor<'_>,
        id: UserId,
        profile: &Profile,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update users set bio = coalesce($2, bio), language = coalesce($3, language),
                    time_zone = case when $4::text is null then time_zone else nullif($4, '') end
              where id = $1",
            id.0,
            profile.bio,
            profile.language,
            profile.time_zone,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Gives the user another role; false if there is no such user.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_role(
        db: impl PgExecutor<'_>,
        id: UserId,
        role: Role,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set role = $2 where id = $1",
            id.0,
            role.as_str()
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Lets the user in or keeps them out; tokens and sockets of theirs end at once. It takes the place of a suspension.
    /// False if there is none.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_active(
        db: impl PgExecutor<'_>,
        id: UserId,
        active: bool,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set is_active = $2, suspended_by = null where id = $1",
            id.0,
            active
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The decision that locks this person out, if it is one that does.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn suspended_by(
        db: impl PgExecutor<'_>,
        id: UserId,
    ) -> Result<Option<DecisionId>, sqlx::Error> {
        let found = sqlx::query_scalar!(
            r#"select suspended_by as "decision: DecisionId" from users where id = $1"#,
            id.0
        )
        .fetch_optional(db)
        .await?;
        Ok(found.flatten())
    }

    /// Gives the user another quota in bytes, or with `None` the configured one; false if there is no such user.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_quota(
        db: impl PgExecutor<'_>,
        id: UserId,
        quota: Option<u64>,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set quota = $2 where id = $1",
            id.0,
            quota.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
