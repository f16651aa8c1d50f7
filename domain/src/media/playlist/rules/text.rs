//! Playlists as text: tags with their values, attribute lists, and what every playlist must begin with.

use super::Report;

/// A line that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// `#EXT...`, and what follows the colon.
    Tag(String, String),
    /// An address.
    Uri(String),
}

/// The lines of a playlist.
#[derive(Debug, Clone)]
pub(super) struct Lines(pub(super) Vec<Line>);

impl Lines {
    pub(super) fn new(report: &mut Report, at: &str, text: &str) -> Self {
        report.must(text.starts_with("#EXTM3U\n"), at, || {
            "a playlist begins with #EXTM3U".to_owned()
        });
        report.must(!text.contains('\u{feff}'), at, || {
            "a playlist has no byte order mark".to_owned()
        });
        let mut lines = Vec::new();
        for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
            if line.starts_with("#EXT") {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                lines.push(Line::Tag(name.to_owned(), value.to_owned()));
            } else if !line.starts_with('#') {
                lines.push(Line::Uri(line.to_owned()));
            }
        }
        let lines = Self(lines);
        let version = lines.number(report, at, "#EXT-X-VERSION");
        // 6 is what EXT-X-MAP needs outside I-frame playlists.
        report.must(version.is_some_and(|version| version >= 6.0), at, || {
            "EXT-X-VERSION is at least 6 where there is an EXT-X-MAP".to_owned()
        });
        report.must(lines.has("#EXT-X-INDEPENDENT-SEGMENTS"), at, || {
            "EXT-X-INDEPENDENT-SEGMENTS is missing".to_owned()
        });
        lines
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of the first tag of a name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|line| match line {
            Line::Tag(tag, value) if tag == name => Some(value.as_str()),
            _ => None,
        })
    }

    /// The number that a tag which must stand exactly once carries.
    pub(super) fn number(&self, report: &mut Report, at: &str, name: &str) -> Option<f64> {
        let is = |line: &&Line| matches!(line, Line::Tag(tag, _) if tag == name);
        let count = self.0.iter().filter(is).count();
        report.must(count == 1, at, || format!("{name} stands {count} times"));
        let value = self.value(name)?.parse().ok();
        report.must(value.is_some(), at, || format!("{name} is no number"));
        value
    }
}

/// An attribute of a list, without its quotes.
pub(super) fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = list;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if key == name {
            return Some(value);
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    None
}
