//! Decisions that are taken back, and answers to appeals.

use millrace_domain::{
    audit::{self, Actor, Entry},
    comments::{Change, Comment},
    email::Message,
    ids::{AppealId, CommentId, DecisionId, UserId, VideoId},
    moderation::{self, Appeal, Decision, LiftedFor},
    notifications::{Kind, Notice},
    reports::Target,
    videos::{self, Video},
};
use millrace_queue::Wake;
use serde_json::json;
use sqlx::PgConnection;

use super::{ModerationError, changed, tell};
use crate::flows::announce_video;

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
    let news = |kind| Notice::plain(kind, format!("lifted:{id}"));
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
    let notice = Notice::plain(Kind::Appeal, format!("appeal:{id}"));
    match decision.owner_id {
        Some(owner) => tell(conn, owner, &notice, &message).await,
        None => Ok(Wake::none()),
    }
}
