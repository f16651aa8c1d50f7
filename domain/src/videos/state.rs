//! The words that a video's columns use.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
            utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[sqlx(type_name = "text", rename_all = "snake_case")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// The word as columns and JSON spell it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Whether a video can be watched in full.
    Status {
        /// The pipeline is at work; the video may be playable already.
        Processing = "processing",
        /// Every rendition is there.
        Ready = "ready",
        /// The pipeline gave up; a code says why, `cancelled` included.
        Failed = "failed",
    }
}
words! {
    /// Where the pipeline is. Stages only go forward within a generation.
    Stage {
        Queued = "queued",
        Probing = "probing",
        Encoding = "encoding",
        Packaging = "packaging",
        Publishing = "publishing",
        Done = "done",
    }
}
words! {
    /// Which playlist plays while a video is being made.
    Stream {
        /// That of the ladder, which grows.
        Event = "event",
        /// That of the copied picture.
        Remux = "remux",
    }
}
words! {
    /// Who may find and watch a video.
    Visibility {
        /// Everybody, and it is listed.
        Public = "public",
        /// Everybody who has the address.
        Unlisted = "unlisted",
        /// Its owner.
        Private = "private",
    }
}
words! {
    /// How far a picture is.
    ThumbnailStatus {
        /// Its bytes are on the way to the store.
        Uploading = "uploading",
        /// A job makes it anew.
        Processing = "processing",
        /// It can be chosen.
        Ready = "ready",
        /// It was none; a code says why.
        Failed = "failed",
    }
}
words! {
    /// What a video is about. The list is fixed, so that the pages can name each in every language.
    Category {
        /// Film and animation.
        Film = "film",
        /// Music.
        Music = "music",
        /// Games.
        Gaming = "gaming",
        /// Sport.
        Sport = "sport",
        /// Travel and events.
        Travel = "travel",
        /// People and daily life.
        People = "people",
        /// Comedy.
        Comedy = "comedy",
        /// News and politics.
        News = "news",
        /// How-to and style.
        Howto = "howto",
        /// Education.
        Education = "education",
        /// Science and technology.
        Science = "science",
        /// Pets and animals.
        Animals = "animals",
        /// Cars and vehicles.
        Vehicles = "vehicles",
        /// Society and good causes.
        Society = "society",
    }
}
