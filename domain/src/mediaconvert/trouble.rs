//! What MediaConvert says went wrong, sorted by who can mend it, as our own encoder's failures are.

use crate::media::{Class, MediaError};

/// Their error codes in our words. The codes for people are those of our own encoder wherever they mean the same.
pub fn trouble(code: Option<i32>, message: Option<&str>) -> MediaError {
    let error = match code {
        Some(1010 | 1056) => {
            MediaError::input("not_media", "This file is not a video we can read.")
        }
        Some(1020 | 1021) => MediaError::input(
            "no_streams",
            "The file has neither picture nor sound that can be read.",
        ),
        Some(1022 | 1030) => MediaError::input(
            "unsupported_codec",
            "The file uses a coding that is not supported.",
        ),
        Some(1075 | 1076) => MediaError::input(
            "damaged",
            "A part of the file cannot be decoded: it is damaged or incomplete.",
        ),
        Some(1092 | 1093) => {
            MediaError::input("undecodable", "The file is damaged and cannot be decoded.")
        }
        // Settings, acceleration, roles, permissions, keys, policies: every video will fail like this one.
        Some(
            1040..=1043
            | 1060
            | 1080
            | 1091
            | 1401
            | 1404
            | 1432..=1434
            | 1515
            | 1517
            | 1522
            | 1601..=1603
            | 1700
            | 3457,
        ) => MediaError::configuration("The converter cannot work with these settings."),
        // Their disk.
        Some(1050 | 1507) => MediaError::new(
            Class::Input("too_expensive"),
            "This video takes more work than is allowed for one file.",
        ),
        // 1550 and 1999 are faults of theirs, 34xx and 3999 of servers behind them.
        _ => MediaError::transient("The converter failed."),
    };
    let code = code.map_or("no code".to_owned(), |code| code.to_string());
    error.with_detail(format!("{code}: {}", message.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_who_can_mend_it() {
        let said = |code| {
            let error = trouble(Some(code), Some("Example error message"));
            (error.code(), error.is_permanent())
        };
        assert_eq!(said(1010), ("not_media", true));
        assert_eq!(said(1030), ("unsupported_codec", true));
        assert_eq!(said(1076), ("damaged", true));
        assert_eq!(said(1434), ("transcoder_misconfigured", true));
        assert_eq!(said(1040), ("transcoder_misconfigured", true));
        assert_eq!(said(1050), ("too_expensive", true));
        assert_eq!(said(1999), ("transcoder_failed", false));
        assert_eq!(said(3450), ("transcoder_failed", false));
        assert_eq!(trouble(None, None).code(), "transcoder_failed");
        assert!(
            trouble(Some(1999), Some("why"))
                .to_string()
                .contains("1999: why")
        );
    }
}
