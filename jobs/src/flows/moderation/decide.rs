//! A decision, and what it does.

use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::{Role, Session, User},
    audit::{self, Actor, Entry},
    comments::{Change, Comment},
    email::Message,
    ids::{CommentId, DecisionId, UserId, VideoId},
    moderation::{self, Action, NewDecision},
    notifications::{Kind, Notice},
    reports::{Reason, Target},
    videos::{self, Video},
};
use millrace_queue::{NewJob, Wake};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{ModerationError, changed, tell};
use crate::{
    flows::{delete_video, schedule::forget_schedule, tell_of_comment},
    kinds::{LiftSuspension, TellReporters},
    plan::group,
};

/// What staff want.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    pub target: Target,
    pub target_id: Uuid,
    pub action: Action,
    /// Needed unless it is dismissed.
    pub reason: Option<Reason>,
    /// What the person is told besides.
    pub note: &'a str,
    /// The end of a suspension.
    pub until: Option<DateTime<Utc>>,
}

/// What a decision is about, as it is now.
enum Subject {
    Video(Box<Video>),
    Comment(Box<Comment>),
    Person(Box<User>),
    /// It is not there any more.
    Gone,
}

impl Subject {
    async fn find(conn: &mut PgConnection, target: Target, id: Uuid) -> Result<Self, sqlx::Error> {
        Ok(match target {
            Target::Video => Video::find(conn, VideoId(id))
                .await?
                .map(|video| Self::Video(Box::new(video))),
            Target::Comment => Comment::find(conn, CommentId(id), None)
                .await?
                .map(|comment| Self::Comment(Box::new(comment))),
            Target::Channel => User::find(conn, UserId(id))
                .await?
                .map(|user| Self::Person(Box::new(user))),
        }
        .unwrap_or(Self::Gone))
    }

    fn owner(&self) -> Option<UserId> {
        match self {
            Self::Video(video) => Some(video.user_id),
            Self::Comment(comment) => Some(comment.user_id),
            Self::Person(user) => Some(user.id),
            Self::Gone => None,
        }
    }

    fn excerpt(&self) -> &str {
        match self {
            Self::Video(video) => &video.title,
            Self::Comment(comment) => &comment.body,
            Self::Person(user) => &user.username,
            Self::Gone => "",
        }
    }
}

/// Decides on something and does it. Whoever is judged is told, except when nothing was wrong. `rank` is the role of who
/// decides: nobody judges people of their own rank or above it. Fire the [`Wake`] after commit.
///
/// # Errors
/// [`ModerationError`]; the transaction is then of no use.
pub async fn decide(
    conn: &mut PgConnection,
    actor: &Actor<'_>,
    rank: Role,
    wish: &Wish<'_>,
) -> Result<(DecisionId, Wake), ModerationError> {
    let subject = Subject::find(&mut *conn, wish.target, wish.target_id).await?;
    // Jobs before rows before topics: the order in which everybody locks.
    let mut wake = cancel_jobs(&mut *conn, wish.action, &subject).await?;
    if let Some(owner) = subject.owner()
        && wish.action != Action::Dismiss
    {
        let person = User::find(&mut *conn, owner)
            .await?
            .ok_or(ModerationError::NotFound)?;
        if person.role >= rank || Some(owner) == actor.id {
            return Err(ModerationError::Protected);
        }
    }
    let id = DecisionId::new();
    let new = NewDecision {
        id,
        target: wish.target,
        target_id: wish.target_id,
        owner: subject.owner(),
        action: wish.action,
        reason: wish.reason,
        note: wish.note,
        excerpt: subject.excerpt(),
        until: wish.until,
        staff: actor.id,
    };
    if !moderation::insert(&mut *conn, &new).await? {
        return Err(ModerationError::Decided);
    }
    let upheld = wish.action != Action::Dismiss;
    let case = moderation::settle(&mut *conn, wish.target, wish.target_id, id, upheld).await?;
    if let Some(case) = case {
        let job = NewJob::new(&TellReporters { case });
        wake.merge(millrace_queue::enqueue(&mut *conn, job).await?.wake);
    }
    audit::write(&mut *conn, actor, entry_of(id, wish, &subject)).await?;
    if let Some(owner) = subject.owner()
        && upheld
    {
        let notice = match (&subject, wish.action) {
            (Subject::Video(video), Action::Hide) => {
                Notice::of_video(Kind::Moderation, format!("decision:{id}"), video.id)
            }
            _ => Notice::plain(Kind::Moderation, format!("decision:{id}")),
        };
        wake.merge(
            tell(
                &mut *conn,
                owner,
                &notice,
                &Message::Decision { decision: id },
            )
            .await?,
        );
    }
    wake.merge(carry_out(conn, id, wish, &subject).await?);
    Ok((id, wake))
}

/// Stops the jobs of what is to go, before any row is locked.
async fn cancel_jobs(
    conn: &mut PgConnection,
    action: Action,
    subject: &Subject,
) -> Result<Wake, sqlx::Error> {
    let Subject::Video(video) = subject else {
        return Ok(Wake::none());
    };
    match action {
        Action::Hide => forget_schedule(conn, video.id).await,
        Action::Takedown => {
            let jobs = group(video.id, video.generation);
            let stopped = millrace_queue::cancel_group(conn, jobs, "the video was removed").await?;
            Ok(stopped.wake)
        }
        Action::Dismiss | Action::Suspend => Ok(Wake::none()),
    }
}

async fn carry_out(
    conn: &mut PgConnection,
    id: DecisionId,
    wish: &Wish<'_>,
    subject: &Subject,
) -> Result<Wake, ModerationError> {
    match (wish.action, subject) {
        (Action::Dismiss, Subject::Comment(comment)) => {
            let shown = moderation::show_comment(&mut *conn, comment.id, None).await?;
            if !shown {
                return Ok(Wake::none());
            }
            // Nobody has heard of it yet.
            let mut wake = match Video::find(&mut *conn, comment.video_id).await? {
                Some(video) => tell_of_comment(&mut *conn, &video, comment).await?,
                None => Wake::none(),
            };
            wake.merge(changed(conn, comment, Change::Written).await?);
            Ok(wake)
        }
        (Action::Dismiss, _) => Ok(Wake::none()),
        (_, Subject::Gone) => Err(ModerationError::NotFound),
        (Action::Hide, Subject::Video(video)) => {
            if !moderation::hide_video(&mut *conn, video.id, id).await? {
                return Err(ModerationError::Decided);
            }
            let hint = videos::video_changed(conn, video.id, video.user_id).await?;
            Ok(hint.into())
        }
        (Action::Hide, Subject::Comment(comment)) => {
            if !moderation::hide_comment(&mut *conn, comment.id, id).await? {
                return Err(ModerationError::Decided);
            }
            changed(conn, comment, Change::Deleted).await
        }
        (Action::Takedown, Subject::Video(video)) => {
            Ok(delete_video(conn, video.id, video.user_id).await?)
        }
        (Action::Takedown, Subject::Comment(comment)) => {
            moderation::remove_comment(&mut *conn, comment.id).await?;
            changed(conn, comment, Change::Deleted).await
        }
        (Action::Suspend, Subject::Person(user)) => {
            if !moderation::suspend(&mut *conn, user.id, id).await? {
                return Err(ModerationError::Inactive);
            }
            Session::end_all(&mut *conn, user.id, None, "suspended").await?;
            let Some(until) = wish.until else {
                return Ok(Wake::none());
            };
            let job = NewJob::new(&LiftSuspension { decision: id }).run_at(until);
            Ok(millrace_queue::enqueue(conn, job.owner(user.id.0))
                .await?
                .wake)
        }
        _ => Err(ModerationError::NotForTarget(wish.target)),
    }
}

fn entry_of<'a>(id: DecisionId, wish: &'a Wish<'_>, subject: &Subject) -> Entry<'a> {
    let before = match subject {
        Subject::Video(video) => {
            json!({ "title": video.title, "visibility": video.visibility, "status": video.status })
        }
        Subject::Comment(comment) => json!({ "body": comment.body, "withheld": comment.withheld }),
        Subject::Person(user) => json!({ "username": user.username, "is_active": user.is_active }),
        Subject::Gone => json!(null),
    };
    Entry {
        action: wish.action.word(),
        target: wish.target.word(),
        target_id: Some(wish.target_id),
        reason: wish.note,
        before: Some(before),
        after: Some(json!({ "decision": id, "reason": wish.reason, "until": wish.until })),
    }
}
