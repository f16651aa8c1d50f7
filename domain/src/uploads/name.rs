//! File names and titles as they are kept. A name never becomes a key or a path of ours; it is shown to people, and
//! offered when they download the original.

/// Characters of a name that is kept.
const LONGEST_NAME: usize = 255;
/// Characters of a title.
const LONGEST_TITLE: usize = 100;

/// The last component of a name, whichever system's path it is, without characters that hide something: controls, and
/// marks that turn the direction of writing around (`gpj.exe` shown as `exe.jpg`). A long one is cut before its
/// ending. May be empty.
pub fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|&c| !is_hidden(c)).collect();
    let plain = plain.trim();
    let length = plain.chars().count();
    if length <= LONGEST_NAME {
        return plain.to_owned();
    }
    let (stem, ending) = match plain.rsplit_once('.') {
        Some((stem, ending)) if ending.len() <= 10 => (stem, format!(".{ending}")),
        _ => (plain, String::new()),
    };
    let room = LONGEST_NAME - ending.chars().count();
    stem.chars().take(room).chain(ending.chars()).collect()
}

/// A title to begin with: the name without its ending, with spaces for separators.
pub fn title_of(name: &str) -> String {
    let name = clean_name(name);
    let stem = name
        .rsplit_once('.')
        .map_or(name.as_str(), |(stem, _)| stem);
    let spaced = stem.replace(['_', '.'], " ");
    let words = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = words.chars().take(LONGEST_TITLE).collect();
    match title.trim() {
        "" => "Untitled".to_owned(),
        title => title.to_owned(),
    }
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_component_of_a_path_is_kept() {
        for (given, kept) in [
            ("walk.mp4", "walk.mp4"),
            ("../../etc/passwd.mp4", "passwd.mp4"),
            ("C:\\fakepath\\walk.mp4", "walk.mp4"),
            ("..\\..\\windows\\a.mp4", "a.mp4"),
            ("/absolute/walk.mp4", "walk.mp4"),
            ("holi\u{202e}4pm.day.mp4", "holi4pm.day.mp4"),
            ("a\u{0}b\r\n.mp4", "ab.mp4"),
            ("婚禮 🎉.mov", "婚禮 🎉.mov"),
            ("folder/", ""),
            ("..", ".."),
        ] {
            assert_eq!(clean_name(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let cut = clean_name(&format!("{}.mp4", "長".repeat(400)));
        assert_eq!(cut.chars().count(), 255);
        assert!(cut.ends_with("長.mp4"));
        assert_eq!(clean_name(&"x".repeat(300)).len(), 255);
    }

    #[test]
    fn a_title_is_made_of_words() {
        assert_eq!(title_of("My_summer.2024__cut.MP4"), "My summer 2024 cut");
        assert_eq!(title_of("../__.mp4"), "Untitled");
        assert_eq!(
            title_of(&format!("{}.mp4", "語".repeat(300)))
                .chars()
                .count(),
            100
        );
    }
}
