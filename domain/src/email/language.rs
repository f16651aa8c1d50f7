//! The languages that mail is written in.

/// A language of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Traditional Chinese as written in Taiwan.
    ZhTw,
    En,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ZhTw, Self::En];

    /// That of a column or header; what is unknown is read in English.
    pub fn of_tag(tag: &str) -> Self {
        if tag == "zh-TW" { Self::ZhTw } else { Self::En }
    }

    /// The tag as columns and HTML spell it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::ZhTw => "zh-TW",
            Self::En => "en",
        }
    }

    /// Whichever of two texts is in this language.
    pub(crate) fn pick<'a>(self, zh_tw: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::ZhTw => zh_tw,
            Self::En => en,
        }
    }
}
