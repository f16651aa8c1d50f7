//! How the outside asks for work and watches it: routes, authorization, uploads, playback, the realtime relay, and
//! the OpenAPI document that is made of them.

/// What people do to their own accounts.
mod account;
/// Where a request comes from.
mod address;
/// The admin screens.
mod admin;
/// What every handler has at hand.
mod app;
/// Who asks.
mod auth;
/// Search, trending, recommendations.
mod discovery;
/// The links that end mail of a kind.
mod email;
/// Whether the process lives and can serve.
mod health;
/// What comes in, read strictly.
mod input;
/// Events of MediaConvert.
mod mediaconvert;
/// Prometheus metrics.
mod metrics;
/// Reports, decisions of staff, and appeals.
mod moderation;
/// What people are told of, over HTTP.
mod notifications;
/// The OpenAPI document.
mod openapi;
/// Orders, prices, refunds.
mod payments;
/// Watching: tokens, playlists, redirects.
mod playback;
/// The one error answer.
mod problem;
/// What happens in the database reaches the browsers that watch it.
mod relay;
/// All routes, and what surrounds them.
mod router;
/// Headers of every answer, and who may call.
mod security;
/// The process.
mod server;
/// One moment of the database.
mod snapshot;
/// What viewers do: follow, like, watch, comment, keep.
mod social;
/// The span of a request.
mod trace;
/// Bodies that nobody read.
mod unread;
/// Uploads over HTTP.
mod uploads;
/// How a user looks from outside.
mod user;
/// Videos over HTTP.
mod videos;
/// The built web application.
mod web;

pub use auth::hash_password;
pub use openapi::document;
pub use server::run;
