//! The kinds of news, and who hears of them unless they say otherwise.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A way of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The list and the bell of the web application.
    Web,
    /// A mail.
    Email,
}

/// What happened. The word is stored and part of links in old mails: never rename one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationKind)]
pub enum Kind {
    /// One's own video can be watched in full.
    VideoReady,
    /// One's own video could not be made.
    VideoFailed,
    /// Somebody commented on one's own video.
    Comment,
    /// Somebody answered one's own comment.
    Reply,
    /// Somebody follows one now.
    Follower,
    /// A creator whom one follows published a video.
    Published,
    /// Staff decided about something of one's own.
    Moderation,
    /// One's appeal was answered.
    Appeal,
    /// Staff decided on something that one reported.
    Report,
}

impl Kind {
    /// All of them, in the order in which settings list them.
    pub const ALL: [Self; 9] = [
        Self::VideoReady,
        Self::VideoFailed,
        Self::Comment,
        Self::Reply,
        Self::Follower,
        Self::Published,
        Self::Moderation,
        Self::Appeal,
        Self::Report,
    ];

    /// The word as columns, JSON and links spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::VideoReady => "video_ready",
            Self::VideoFailed => "video_failed",
            Self::Comment => "comment",
            Self::Reply => "reply",
            Self::Follower => "follower",
            Self::Published => "published",
            Self::Moderation => "moderation",
            Self::Appeal => "appeal",
            Self::Report => "report",
        }
    }

    /// Whether people may end it. Whoever was judged has to hear of it.
    pub const fn optional(self) -> bool {
        !matches!(self, Self::Moderation | Self::Appeal)
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether people hear of it who said nothing: everything in the web application; by mail what they wait for, and
    /// what people write to them.
    pub const fn by_default(self, channel: Channel) -> bool {
        match channel {
            Channel::Web => true,
            Channel::Email => !matches!(self, Self::Follower | Self::Published | Self::Report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_kinds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_word(kind.word()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        assert_eq!(Kind::of_word("VideoReady"), None);
    }
}
