//! What filters ask of a video, as the index of words knows it: see `search_traits` in `0041_search_traits.sql`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::SearchFilter;
use crate::videos::Category;

/// How long a video is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Under 4 minutes.
    Short,
    /// 4 to 20 minutes.
    Medium,
    /// 20 minutes and more.
    Long,
}

/// How fine the picture is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fineness {
    /// 720 lines.
    Hd,
    /// 1080 lines.
    FullHd,
    /// 2160 lines.
    Uhd,
}

impl Length {
    const fn word(self) -> &'static str {
        match self {
            Self::Short => "d:short",
            Self::Medium => "d:medium",
            Self::Long => "d:long",
        }
    }
}

impl Fineness {
    const fn word(self) -> &'static str {
        match self {
            Self::Hd => "q:720",
            Self::FullHd => "q:1080",
            Self::Uhd => "q:2160",
        }
    }
}

/// The traits that a video must have, all of them; none if nothing is asked.
pub(super) fn traits(filter: &SearchFilter) -> Option<Vec<String>> {
    let category = filter
        .category
        .map(|kind| format!("c:{}", Category::word(kind)));
    let fineness = filter.quality.map(|quality| quality.word().to_owned());
    let length = filter.length.map(|length| length.word().to_owned());
    let all: Vec<String> = [category, fineness, length].into_iter().flatten().collect();
    (!all.is_empty()).then_some(all)
}
