//! Languages of tracks, written as browsers write them.

/// `zh-tw` as `zh-TW`, `ZH-hant` as `zh-Hant`. `None` for what is no BCP 47 tag of a language, a script and a region.
pub fn language(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split(['-', '_']).collect();
    let letters = |part: &str| part.bytes().all(|c| c.is_ascii_alphabetic());
    let (first, rest) = parts.split_first()?;
    if !(2..=3).contains(&first.len()) || !letters(first) || rest.len() > 2 {
        return None;
    }
    let mut tag = first.to_ascii_lowercase();
    for part in rest {
        let part = match part.len() {
            4 if letters(part) => part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase(),
            2 if letters(part) => part.to_ascii_uppercase(),
            3 if part.bytes().all(|c| c.is_ascii_digit()) => (*part).to_owned(),
            _ => return None,
        };
        tag = format!("{tag}-{part}");
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_in_one_way() {
        for (text, tag) in [
            ("en", "en"),
            ("ZH-tw", "zh-TW"),
            ("zh_hant_TW", "zh-Hant-TW"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(language(text).as_deref(), Some(tag));
        }
        for other in ["", "e", "english", "zh-", "en-US-x-y", "en/../x", "中文"] {
            assert_eq!(language(other), None, "{other}");
        }
    }
}
