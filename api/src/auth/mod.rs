//! Who asks: passwords, access tokens, refresh cookies, and the extractors that handlers take as arguments.

/// The extractors: `CurrentUser`, `MaybeUser`, `Auditor`, `Operator`, `Admin`.
mod caller;
/// The refresh cookie, and the check of who may use it.
mod cookie;
/// Links that came by mail.
pub(crate) mod links;
/// Argon2id off the async threads.
mod password;
/// New accounts.
pub(crate) mod register;
/// Log in, refresh, log out.
pub(crate) mod routes;
/// The second step of a log-in.
pub(crate) mod second_step;
/// Names and addresses that somebody else has.
mod taken;
/// Access tokens.
mod token;

pub(crate) use caller::{Admin, Auditor, CurrentUser, MaybeUser, Operator};
pub(crate) use cookie::{Origins, REFRESH_COOKIE, SameOrigin};
pub(crate) use links::{link_over, try_link};
pub(crate) use password::Passwords;
pub use password::hash_password;
pub(crate) use register::is_email;
pub(crate) use routes::throttle;
pub(crate) use second_step::wrong_code;
pub(crate) use taken::email_taken;
pub(crate) use token::{Access, AccessTokens, SigningKey, TokenOptions};
