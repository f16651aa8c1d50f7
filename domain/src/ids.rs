//! Typed ids: UUIDv7, so that they sort by time and clients can make them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later than every id made before it on this machine.
            #[expect(clippy::new_without_default, reason = "a default id that differs every time surprises")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A person.
    UserId
}
id! {
    /// A log-in on one device.
    SessionId
}
id! {
    /// A file on its way in.
    UploadId
}
id! {
    /// A video.
    VideoId
}
id! {
    /// A picture of a person.
    AvatarId
}
id! {
    /// News for somebody.
    NotificationId
}
id! {
    /// A mail to somebody.
    EmailId
}
id! {
    /// A comment.
    CommentId
}
id! {
    /// A picture that may stand for a video.
    ThumbnailId
}
id! {
    /// An invitation to register.
    InviteId
}
id! {
    /// A copy of what an account holds.
    ExportId
}
id! {
    /// A playlist.
    PlaylistId
}
id! {
    /// What was reported of one thing since staff last decided on it.
    CaseId
}
id! {
    /// What staff decided about something.
    DecisionId
}
id! {
    /// What somebody says against a decision.
    AppealId
}
id! {
    /// An entry of the word list.
    WordId
}
id! {
    /// An order.
    PaymentId
}
id! {
    /// What a provider told us.
    PaymentEventId
}
id! {
    /// Money on its way back.
    RefundId
}
id! {
    /// A channel that is paid for again and again.
    SubscriptionId
}
id! {
    /// A comparison of the ledger with the provider.
    CheckId
}
