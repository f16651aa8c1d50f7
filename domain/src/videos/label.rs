//! Tags: made alike, so that what people mean to be the same is.

use std::collections::HashSet;

/// Tags of a video.
pub const MOST_TAGS: usize = 20;
/// Characters of a tag.
pub const LONGEST_TAG: usize = 30;

/// One tag as it is stored: lower case, without `#`, single spaces. `None` if nothing is left of it, or too much.
pub fn tag(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ");
    let tag = joined.trim_start_matches(['#', '＃']).trim().to_lowercase();
    let fine = !tag.is_empty()
        && tag.chars().count() <= LONGEST_TAG
        && !tag
            .chars()
            .any(|c| c.is_control() || matches!(c, ',' | '，' | '、'));
    fine.then_some(tag)
}

/// Tags as they are stored, in their order, each once. `None` if one is none, or if there are too many.
pub fn tags(texts: &[String]) -> Option<Vec<String>> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for text in texts {
        let tag = tag(text)?;
        if seen.insert(tag.clone()) {
            all.push(tag);
        }
    }
    (all.len() <= MOST_TAGS).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_made_alike() {
        let texts = ["#Night  Market", "night market", "夜市", " ＃Taipei "].map(str::to_owned);
        assert_eq!(tags(&texts).unwrap(), ["night market", "夜市", "taipei"]);
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in [
            "",
            "#",
            " ",
            "a,b",
            "夜市，台北",
            &"x".repeat(31),
            "a\u{7}b",
        ] {
            assert_eq!(tag(text), None, "{text:?}");
        }
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        assert_eq!(tags(&many), None);
        assert!(tags(&many[..20]).is_some());
    }
}
