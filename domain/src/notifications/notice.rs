//! Telling: one person, or a batch of followers.

use millrace_bus::{Event, Hint};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Channel, Kind, wants};
use crate::{
    ids::{NotificationId, UserId, VideoId},
    videos::topic_of_user,
};

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: Kind,
    /// What makes it this news and no other: said twice to a person, it is told once.
    pub key: String,
    /// Who did it.
    pub actor: Option<UserId>,
    pub video: Option<VideoId>,
    pub comment: Option<Uuid>,
    /// Of a report: whether something was done about it.
    pub upheld: Option<bool>,
}

/// What telling somebody led to.
#[derive(Debug)]
#[must_use = "the hint is to be fired after the commit, and a mail may be wanted"]
pub struct Told {
    /// For the person's open pages.
    pub hint: Hint,
    /// Whether they want mail of it, too.
    pub email: bool,
}

impl Notice {
    /// About nothing that could be shown.
    pub fn plain(kind: Kind, key: impl Into<String>) -> Self {
        Self {
            kind,
            key: key.into(),
            actor: None,
            video: None,
            comment: None,
            upheld: None,
        }
    }

    /// About a video.
    pub fn of_video(kind: Kind, key: impl Into<String>, video: VideoId) -> Self {
        Self {
            video: Some(video),
            ..Self::plain(kind, key)
        }
    }

    /// Something that `actor` did.
    pub fn by(kind: Kind, key: impl Into<String>, actor: UserId) -> Self {
        Self {
            actor: Some(actor),
            ..Self::plain(kind, key)
        }
    }
}

/// Tells one person, as far as they want to hear of it; nobody is told of what they did themselves.
///
/// It publishes to the person's topic, so it comes last in the transaction, before what publishes to topics whose names
/// sort later (`video:`). `millrace_jobs::flows::notify` also sends the mail.
///
/// # Errors
/// Those of the statements.
pub async fn notify(
    conn: &mut PgConnection,
    user: UserId,
    notice: &Notice,
) -> Result<Told, sqlx::Error> {
    if notice.actor == Some(user) {
        return Ok(Told {
            hint: Hint::none(),
            email: false,
        });
    }
    let wish = wants(&mut *conn, user, notice.kind).await?;
    let hint = if wish.web {
        insert(conn, &[user], notice).await?
    } else {
        Hint::none()
    };
    Ok(Told {
        hint,
        email: wish.email,
    })
}

/// Tells many people at once, and says who of them wants mail of it. Those who are locked out hear nothing.
///
/// # Errors
/// Those of the statements.
pub async fn notify_all(
    conn: &mut PgConnection,
    users: &[UserId],
    notice: &Notice,
) -> Result<(Hint, Vec<UserId>), sqlx::Error> {
    let ids: Vec<Uuid> = users
        .iter()
        .filter(|user| notice.actor != Some(**user))
        .map(|user| user.0)
        .collect();
    let rows = sqlx::query!(
        r#"select u.id, coalesce(p.web, $3) as "web!", coalesce(p.email, $4) as "email!"
             from users u left join notification_preferences p on p.user_id = u.id and p.kind = $2
            where u.id = any($1) and u.is_active"#,
        &ids,
        notice.kind.word(),
        notice.kind.by_default(Channel::Web),
        notice.kind.by_default(Channel::Email),
    )
    .fetch_all(&mut *conn)
    .await?;
    let web: Vec<UserId> = rows
        .iter()
        .filter(|row| row.web)
        .map(|row| UserId(row.id))
        .collect();
    let email = rows
        .iter()
        .filter(|row| row.email)
        .map(|row| UserId(row.id));
    let email = email.collect();
    Ok((insert(conn, &web, notice).await?, email))
}

/// Writes the rows that are not there yet and tells the open pages of their people.
async fn insert(
    conn: &mut PgConnection,
    users: &[UserId],
    notice: &Notice,
) -> Result<Hint, sqlx::Error> {
    let ids: Vec<Uuid> = users.iter().map(|_| NotificationId::new().0).collect();
    let people: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    let told = sqlx::query!(
        "insert into notifications (id, user_id, kind, key, actor_id, video_id, comment_id, upheld)
         select n.id, n.user_id, $3, $4, $5, $6, $7, $8 from unnest($1::uuid[], $2::uuid[]) as n(id, user_id)
         on conflict on constraint notifications_once do nothing
         returning id, user_id",
        &ids,
        &people,
        notice.kind.word(),
        notice.key,
        notice.actor.map(|id| id.0),
        notice.video.map(|id| id.0),
        notice.comment,
        notice.upheld,
    )
    .fetch_all(&mut *conn)
    .await?;
    let events: Vec<Event> = told
        .into_iter()
        .map(|row| Event {
            topic: topic_of_user(UserId(row.user_id)),
            data: json!({"type": "notification", "id": row.id}),
        })
        .collect();
    millrace_bus::publish(conn, &events).await
}
