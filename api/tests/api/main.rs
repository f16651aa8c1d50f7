//! The API over HTTP and WebSocket, against a real database made for each test.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

/// Register, log in, refresh, log out, tokens.
mod accounts;
/// The admin screens: who sees jobs and acts on them.
mod admin;
/// Every operation, asked for by everybody.
mod authorization;
/// Values that are computed once for all processes.
mod cache;
/// Captions, chapters, tags.
mod captions;
/// CloudFront and its cookies.
mod cloudfront;
/// Comments and reports.
mod comments;
/// Copies that are watched while the ladder is made.
mod copies;
/// The store, a CDN, and what may be kept.
mod delivery;
/// Devices, passwords, roles: what ends at once.
mod devices;
/// The links that end mail of a kind.
mod email;
/// Leaving, and taking one's data along.
mod farewell;
/// Channels, following, the feed.
mod follows;
/// What somebody watched.
mod history;
/// Wrong input of every kind is a problem, never a 500.
mod input;
/// Invitations, and registration that is closed.
mod invitations;
/// The ledger, orders and refunds in the database.
mod ledger;
/// Trash, schedule, replacement, original.
mod lifecycle;
/// Likes and their count.
mod likes;
/// Links that came by mail.
mod links;
/// What is logged of a request, and what is not.
mod logs;
/// Events of MediaConvert.
mod mediaconvert;
/// Reports, decisions, appeals.
mod moderation;
/// What people are told of.
mod notifications;
/// The committed OpenAPI document.
mod openapi;
/// What others' things look like: nothing.
mod ownership;
/// Pages of lists while things come and go.
mod pages;
/// Playlists and redirects.
mod playback;
/// Playlists, and what to watch later.
mod playlists;
/// Profile and picture.
mod profile;
/// Mail that was asked for before an account changed hands.
mod queued_mail;
/// Videos that go with one, and the embed page.
mod related;
/// What comes through the socket.
mod relay;
/// Search and suggestions.
mod search;
/// Codes besides the password.
mod second_factor;
/// Answers that are of one moment.
mod snapshots;
/// A client of the socket.
mod socket;
/// Who may open a socket, and how sockets end.
mod sockets;
/// A server over a database of its own.
mod stack;
/// Figures, and changes of many.
mod statistics;
/// Rows past their time.
mod sweeps;
/// Pictures of videos.
mod thumbnails;
/// What many watch, and what somebody may like.
mod trending;
/// Uploads as far as they go without a store.
mod uploads;
/// What counts as a view.
mod views;
/// The built web application.
mod web;
