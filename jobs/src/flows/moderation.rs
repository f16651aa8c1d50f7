//! What staff decide: the decision, what it does, the case that it settles, the row of the log, and what its owner is told,
//! in one transaction.

use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::{Role, Session, User},
    audit::{self, Actor, Entry},
    comments::{self, Change, Comment},
    email::{Language, Message, NewEmail, Recipient},
    ids::{AppealId, CommentId, DecisionId, UserId, VideoId},
    moderation::{self, Action, Appeal, Decision, LiftedFor, NewDecision},
    notifications::{self, Kind, Notice},
    reports::{Reason, Target},
    videos::{self, Video},
};
use millrace_queue::{EnqueueError, NewJob, Wake};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    FlowError, announce_video, delete_video, schedule::forget_schedule, send_email, tell_of_comment,
};
use crate::{kinds::LiftSuspension, plan::group};

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

/// Why something was not decided.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// There is no such thing, or it is gone.
    #[error("there is no such thing")]
    NotFound,
    /// Nobody can do that to such a thing.
    #[error("that cannot be done to a {}", .0.word())]
    NotForTarget(Target),
    /// It is hidden, suspended, lifted or answered already.
    #[error("that was decided already")]
    Decided,
    /// What is deleted is deleted.
    #[error("the decision is final")]
    Final,
    /// Nobody judges their own things, or people of their own rank.
    #[error("the person has too high a role")]
    Protected,
    /// The account is deactivated or leaving.
    #[error("the account is not active")]
    Inactive,
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("could not enqueue a job")]
    Enqueue(#[from] EnqueueError),
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
    moderation::settle(&mut *conn, wish.target, wish.target_id, id, upheld).await?;
    audit::write(&mut *conn, actor, entry_of(id, wish, &subject)).await?;
    if let Some(owner) = subject.owner()
        && upheld
    {
        let notice = match (&subject, wish.action) {
            (Subject::Video(video), Action::Hide) => {
                Notice::of_video(Kind::Moderation, format!("decision:{id}"), video.id)
            }
            _ => plain(Kind::Moderation, format!("decision:{id}")),
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

/// Takes a decision back, and undoes what it did. An appeal that waits is thereby accepted.
///
/// # Errors
/// [`ModerationError::Final`], [`ModerationError::Decided`] if it does not stand.
pub async fn lift_decision(
    conn: &mut PgConnection,
    actor: &Actor<'_>,
    id: DecisionId,
    why: LiftedFor,
    note: &str,
) -> Result<Wake, ModerationError> {
    let decision = moderation::decision(&mut *conn, id)
        .await?
        .ok_or(ModerationError::NotFound)?;
    if !decision.action.can_be_lifted() {
        return Err(ModerationError::Final);
    }
    // Locks the decision: of two who take it back, one does.
    if !moderation::lift(&mut *conn, id, actor.id, why).await? {
        return Err(ModerationError::Decided);
    }
    if let Some(appeal) = decision.appeal.as_ref() {
        Appeal::answer(&mut *conn, appeal.id, actor.id, true, note).await?;
    }
    let entry = Entry {
        action: "lift",
        target: decision.target.word(),
        target_id: Some(decision.target_id),
        reason: note,
        before: Some(json!({ "decision": id, "action": decision.action })),
        after: Some(json!({ "lifted_for": why })),
    };
    audit::write(&mut *conn, actor, entry).await?;
    undo(conn, &decision).await
}

/// Undoes what a decision did, and tells its owner.
async fn undo(conn: &mut PgConnection, decision: &Decision) -> Result<Wake, ModerationError> {
    let (id, target) = (decision.id, decision.target_id);
    let mut wake = Wake::none();
    let news = |kind| plain(kind, format!("lifted:{id}"));
    let message = Message::DecisionLifted { decision: id };
    match decision.target {
        Target::Video => {
            let video = VideoId(target);
            if let Some(owner) = moderation::show_video(&mut *conn, video, id).await? {
                let notice = Notice::of_video(Kind::Moderation, format!("lifted:{id}"), video);
                if let Some(video) = Video::find(&mut *conn, video).await? {
                    wake.merge(announce_video(&mut *conn, &video).await?);
                }
                wake.merge(tell(&mut *conn, owner, &notice, &message).await?);
                wake.merge(videos::video_changed(conn, video, owner).await?);
                return Ok(wake);
            }
        }
        Target::Comment => {
            let comment = CommentId(target);
            if moderation::show_comment(&mut *conn, comment, Some(id)).await?
                && let Some(comment) = Comment::find(&mut *conn, comment, None).await?
            {
                let notice = news(Kind::Moderation);
                wake.merge(tell(&mut *conn, comment.user_id, &notice, &message).await?);
                wake.merge(changed(conn, &comment, Change::Written).await?);
                return Ok(wake);
            }
        }
        Target::Channel => {
            let user = UserId(target);
            if moderation::reinstate(&mut *conn, user, id).await? {
                wake.merge(tell(conn, user, &news(Kind::Moderation), &message).await?);
            }
        }
    }
    // What it hid is gone: there is nobody to be told.
    Ok(wake)
}

/// Answers an appeal: accepted, its decision is taken back; or the decision stands.
///
/// # Errors
/// [`ModerationError::Decided`] if it was answered before.
pub async fn answer_appeal(
    conn: &mut PgConnection,
    actor: &Actor<'_>,
    id: AppealId,
    accepted: bool,
    answer: &str,
) -> Result<Wake, ModerationError> {
    let found = Appeal::answer(&mut *conn, id, actor.id, accepted, answer).await?;
    let decision = found.ok_or(ModerationError::Decided)?;
    if accepted {
        return lift_decision(conn, actor, decision, LiftedFor::Appeal, answer).await;
    }
    let decision = moderation::decision(&mut *conn, decision)
        .await?
        .ok_or(ModerationError::NotFound)?;
    let entry = Entry {
        action: "reject_appeal",
        target: decision.target.word(),
        target_id: Some(decision.target_id),
        reason: answer,
        before: Some(json!({ "decision": decision.id, "appeal": id })),
        after: None,
    };
    audit::write(&mut *conn, actor, entry).await?;
    let message = Message::AppealRejected {
        decision: decision.id,
        appeal: id,
    };
    let notice = plain(Kind::Appeal, format!("appeal:{id}"));
    match decision.owner_id {
        Some(owner) => tell(conn, owner, &notice, &message).await,
        None => Ok(Wake::none()),
    }
}

/// Tells somebody of what staff decided, in the web application and by mail, whatever they want to hear of; also when they
/// are locked out, which is when they need the mail.
async fn tell(
    conn: &mut PgConnection,
    user: UserId,
    notice: &Notice,
    message: &Message,
) -> Result<Wake, ModerationError> {
    let Some(person) = User::find(&mut *conn, user).await? else {
        return Ok(Wake::none());
    };
    let to = &Recipient {
        user: Some(user),
        address: person.email,
        name: person.username,
        language: Language::of_tag(&person.language),
    };
    let key = &notice.key;
    let mut wake = send_email(&mut *conn, NewEmail { key, to, message }).await?;
    wake.merge(notifications::notify(conn, user, notice).await?.hint);
    Ok(wake)
}

async fn changed(
    conn: &mut PgConnection,
    comment: &Comment,
    what: Change,
) -> Result<Wake, ModerationError> {
    let hint = comments::changed(conn, comment.video_id, comment.id, comment.parent_id, what);
    Ok(hint.await?.into())
}

fn plain(kind: Kind, key: String) -> Notice {
    Notice {
        kind,
        key,
        actor: None,
        video: None,
        comment: None,
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
