//! How a user looks from outside.

use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::{Role, User},
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
    #[schema(required)]
    avatar_url: Option<String>,
    bio: String,
    /// `zh-TW` or `en`.
    language: String,
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
            // Avatars come with the profile page; until then nobody has one.
            avatar_url: None,
            bio: user.bio,
            language: user.language,
            is_active: user.is_active,
            created_at: user.created_at,
        }
    }
}
