//! What a person wants to be told of, and how.

use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;

use super::{Channel, Kind};
use crate::ids::UserId;

/// How a person hears of a kind of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotificationPreference)]
pub struct Preference {
    pub kind: Kind,
    /// In the web application.
    pub web: bool,
    /// By mail.
    pub email: bool,
}

/// All preferences of a person, defaults included: of the kinds that people may end.
///
/// # Errors
/// Those of the statement.
pub async fn preferences(
    db: impl PgExecutor<'_>,
    user: UserId,
) -> Result<Vec<Preference>, sqlx::Error> {
    let rows = sqlx::query!(
        "select kind, web, email from notification_preferences where user_id = $1",
        user.0
    )
    .fetch_all(db)
    .await?;
    let said = |kind: Kind| rows.iter().find(|row| row.kind == kind.word());
    let preference = |kind: Kind| match said(kind) {
        Some(row) => Preference {
            kind,
            web: row.web,
            email: row.email,
        },
        None => Preference {
            kind,
            web: kind.by_default(Channel::Web),
            email: kind.by_default(Channel::Email),
        },
    };
    Ok(Kind::ALL
        .into_iter()
        .filter(|kind| kind.optional())
        .map(preference)
        .collect())
}

/// How one person hears of one kind.
///
/// # Errors
/// Those of the statement.
pub async fn wants(
    db: impl PgExecutor<'_>,
    user: UserId,
    kind: Kind,
) -> Result<Preference, sqlx::Error> {
    let row = sqlx::query!(
        "select web, email from notification_preferences where user_id = $1 and kind = $2",
        user.0,
        kind.word()
    )
    .fetch_optional(db)
    .await?;
    Ok(Preference {
        kind,
        web: row
            .as_ref()
            .map_or(kind.by_default(Channel::Web), |row| row.web),
        email: row
            .as_ref()
            .map_or(kind.by_default(Channel::Email), |row| row.email),
    })
}

/// Changes how a person hears of a kind; what is `None` stays as it is. False if there is no such person.
///
/// # Errors
/// Those of the statement.
pub async fn set_preference(
    db: impl PgExecutor<'_>,
    user: UserId,
    kind: Kind,
    web: Option<bool>,
    email: Option<bool>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into notification_preferences as p (user_id, kind, web, email)
         select u.id, $2::text, coalesce($3::boolean, $5::boolean), coalesce($4::boolean, $6::boolean)
           from users u where u.id = $1
         on conflict (user_id, kind) do update
            set web = coalesce($3::boolean, p.web), email = coalesce($4::boolean, p.email)",
        user.0,
        kind.word(),
        web,
        email,
        kind.by_default(Channel::Web),
        kind.by_default(Channel::Email),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
