//! Object keys as relative paths.
//!
//! `a/b c` becomes `a+/b%20c`. Folders end in `+`, which no encoded name contains, so that `a` and `a/b` can both be
//! objects. Capitals are encoded too, because two keys may differ in case only and the file systems of macOS do not tell
//! them apart. An empty segment (`a//b`) is a lone `%`.

use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Longest encoded segment. Common file systems allow 255 bytes.
const MAX_SEGMENT: usize = 240;

/// The path of `key` under the folder of its bucket.
pub(super) fn to_path(key: &str) -> Result<PathBuf, StoreError> {
    let mut path = PathBuf::new();
    let mut segments = key.split('/').peekable();
    while let Some(segment) = segments.next() {
        let mut name = encode(segment);
        if name.len() > MAX_SEGMENT {
            return Err(StoreError::KeyTooLong);
        }
        if segments.peek().is_some() {
            name.push('+');
        }
        path.push(name);
    }
    Ok(path)
}

/// One segment of a key from a file or folder name; folders answer with a final `/`. `None` for foreign files.
pub(super) fn from_name(name: &Path) -> Option<String> {
    let name = name.to_str()?;
    match name.strip_suffix('+') {
        Some(folder) => Some(decode(folder)? + "/"),
        None => decode(name),
    }
}

fn encode(segment: &str) -> String {
    if segment.is_empty() {
        return "%".into();
    }
    let dots_only = segment.bytes().all(|b| b == b'.');
    let mut name = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'.' if dots_only => name.push_str("%2e"),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(char::from(byte)),
            _ => {
                name.push('%');
                name.push_str(&hex::encode([byte]));
            }
        }
    }
    name
}

fn decode(name: &str) -> Option<String> {
    if name == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            bytes.extend(hex::decode(tail.get(..2)?).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(path: &Path) -> String {
        path.iter()
            .map(|name| from_name(Path::new(name)).unwrap())
            .collect()
    }

    #[test]
    fn keys_survive_the_way_to_a_path_and_back() {
        for key in [
            "a",
            "a/b",
            "a/",
            "/a",
            "a//b",
            "..",
            "a/./b",
            "A%2f+",
            "影片/1 2.mp4",
            "a+/b",
            "%",
            "a,b\u{0}c",
        ] {
            let path = to_path(key).unwrap();
            assert_eq!(back(&path), key, "{path:?}");
            assert!(
                path.components()
                    .all(|c| matches!(c, std::path::Component::Normal(_))),
                "{path:?}"
            );
        }
    }

    #[test]
    fn different_keys_have_different_paths() {
        let keys = [
            "a", "A", "a/", "a/b", "a+", "a+/b", "a%", "a%2f", "a%2fb", "a/%",
        ];
        let paths: std::collections::HashSet<_> =
            keys.iter().map(|key| to_path(key).unwrap()).collect();
        assert_eq!(paths.len(), keys.len());
    }

    #[test]
    fn a_segment_that_no_file_system_takes_is_refused() {
        assert!(matches!(
            to_path(&"x".repeat(241)),
            Err(StoreError::KeyTooLong)
        ));
    }
}
