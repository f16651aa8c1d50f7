//! Who hears of a comment.

use millrace_domain::{
    comments::Comment,
    email::Message,
    notifications::{Kind, Notice},
    videos::Video,
};
use millrace_queue::Wake;
use sqlx::PgConnection;

use super::{FlowError, notify};

/// Tells whom a new comment answers, and whose video it is about: each once, and nobody of what they wrote themselves.
///
/// # Errors
/// [`FlowError`]
pub async fn tell_of_comment(
    conn: &mut PgConnection,
    video: &Video,
    comment: &Comment,
) -> Result<Wake, FlowError> {
    let actor = comment.user_id;
    let answered = match comment.parent_id {
        Some(parent) => Comment::find(&mut *conn, parent, None).await?,
        None => None,
    };
    let answered = answered.map(|parent| parent.user_id);
    let mut told = Vec::new();
    if let Some(user) = answered {
        told.push((
            user,
            Kind::Reply,
            Message::Reply {
                video: video.id,
                actor,
            },
        ));
    }
    if answered != Some(video.user_id) {
        let message = Message::Comment {
            video: video.id,
            actor,
        };
        told.push((video.user_id, Kind::Comment, message));
    }
    // Topics are locked in the order of their names.
    told.sort_by_key(|(user, ..)| user.to_string());
    let mut wake = Wake::none();
    for (user, kind, message) in told {
        let notice = Notice {
            actor: Some(actor),
            comment: Some(comment.id.0),
            ..Notice::of_video(kind, format!("comment:{}", comment.id), video.id)
        };
        wake.merge(notify(&mut *conn, user, &notice, &message).await?);
    }
    Ok(wake)
}
