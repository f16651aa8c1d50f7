//! What viewers do: follow creators, like and watch videos, comment, keep what they watched and want to watch.

/// Creators as others see them.
pub(crate) mod channels;
/// Likes and pins of comments.
mod comment_marks;
/// What people write below videos.
mod comments;
/// Following.
mod follows;
/// What the caller watched.
mod history;
/// Likes.
mod likes;
/// Pages of lists.
pub(crate) mod pages;
/// The items of playlists.
mod playlist_items;
/// Playlists.
mod playlists;
/// Videos that go with one.
mod related;
/// Reports of what breaks rules.
mod reports;
/// Tickets that prove that somebody watched.
mod ticket;
/// What a person is to a video.
mod viewer;
/// What players report while they play.
mod watch;

use utoipa_axum::router::OpenApiRouter;

pub(crate) use pages::{PageQuery, gesture, wanted};
pub(crate) use ticket::TicketKey;

use crate::app::App;

/// The routes of all of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(channels::router())
        .merge(comments::router())
        .merge(comment_marks::router())
        .merge(follows::router())
        .merge(history::router())
        .merge(likes::router())
        .merge(playlist_items::router())
        .merge(playlists::router())
        .merge(related::router())
        .merge(reports::router())
        .merge(viewer::router())
        .merge(watch::router())
}
