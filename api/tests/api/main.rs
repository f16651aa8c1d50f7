//! The API over HTTP and WebSocket, against a real database made for each test.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

/// Register, log in, refresh, log out, tokens.
mod accounts;
/// The admin screens: who sees jobs and acts on them.
mod admin;
/// Captions, chapters, tags.
mod captions;
/// Copies that are watched while the ladder is made.
mod copies;
/// The store, a CDN, CloudFront.
mod delivery;
/// Wrong input of every kind is a problem, never a 500.
mod input;
/// Trash, schedule, replacement, original.
mod lifecycle;
/// The committed OpenAPI document.
mod openapi;
/// What others' things look like: nothing.
mod ownership;
/// Playlists and redirects.
mod playback;
/// What comes through the socket.
mod relay;
/// A client of the socket.
mod socket;
/// Who may open a socket, and how sockets end.
mod sockets;
/// A server over a database of its own.
mod stack;
/// Figures, and changes of many.
mod statistics;
/// Pictures of videos.
mod thumbnails;
/// Uploads as far as they go without a store.
mod uploads;
/// The built web application.
mod web;
