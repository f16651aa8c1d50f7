//! How a user looks from outside.

use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::{Avatar, Role, User},
    ids::UserId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A person with an account, as they see themselves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    id: UserId,
    username: String,
    email: String,
    role: Role,
    /// A square of 256 pixels; with `/64` at its end instead, one of 64.
    #[schema(required)]
    avatar_url: Option<String>,
    bio: String,
    /// `zh-TW` or `en`.
    language: String,
    /// An IANA name; none for that of the browser.
    #[schema(required)]
    time_zone: Option<String>,
    /// Whether log-in asks for a code besides the password.
    second_factor: bool,
    /// Whether the address was proven by a link.
    email_verified: bool,
    is_active: bool,
    created_at: DateTime<Utc>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            role: user.role,
            avatar_url: user.avatar.as_deref().and_then(Avatar::address),
            bio: user.bio,
            language: user.language,
            time_zone: user.time_zone,
            second_factor: user.second_factor,
            email_verified: user.email_verified,
            is_active: user.is_active,
            created_at: user.created_at,
        }
    }
}
