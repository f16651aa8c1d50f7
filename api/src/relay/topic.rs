//! The topics that clients may name.

use std::{fmt, str::FromStr};

use millrace_domain::{
    ids::{UserId, VideoId},
    videos::{topic_of_user, topic_of_video},
};

/// A topic that can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// A person's own uploads and videos.
    User(UserId),
    /// One video.
    Video(VideoId),
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => f.write_str(&topic_of_user(*id)),
            Self::Video(id) => f.write_str(&topic_of_video(*id)),
        }
    }
}

/// The name is no topic of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownTopic;

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        let (kind, id) = name.split_once(':').ok_or(UnknownTopic)?;
        let topic = match kind {
            "user" => Self::User(id.parse().map_err(|_| UnknownTopic)?),
            "video" => Self::Video(id.parse().map_err(|_| UnknownTopic)?),
            _ => return Err(UnknownTopic),
        };
        // One spelling each: `video:{ID IN CAPITALS}` would be another row in the database.
        if topic.to_string() == name {
            Ok(topic)
        } else {
            Err(UnknownTopic)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        let topic = Topic::Video(VideoId::new());
        let name = topic.to_string();
        assert_eq!(name.parse(), Ok(topic));
        for other in [
            name.to_uppercase(),
            format!("{name} "),
            name.replace('-', ""),
            "admin:jobs".to_owned(),
            "video".to_owned(),
        ] {
            assert_eq!(other.parse::<Topic>(), Err(UnknownTopic), "{other}");
        }
    }
}
