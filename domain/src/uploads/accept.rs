//! Which files are accepted: an extension that we know, with a content type that fits it.
//!
//! This keeps honest mistakes out before gigabytes travel. What a file really holds is decided by the probe.

/// Accepted extensions, lower case, as shown to people.
pub const EXTENSIONS: [&str; 19] = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mpg", "mpeg", "flv", "wmv", "3gp", "ogv",
    "mp3", "m4a", "wav", "flac", "ogg", "aac",
];

/// Why a file is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("files of this kind are not accepted")]
    Extension,
    #[error("the content type does not fit the file name")]
    ContentType,
}

/// Checks a file's name and declared type, and returns the content type to sign: lower case, without parameters.
///
/// # Errors
/// What is wrong with it.
pub fn accept(filename: &str, content_type: &str) -> Result<String, Refusal> {
    let extension = filename
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .filter(|extension| EXTENSIONS.contains(&extension.as_str()))
        .ok_or(Refusal::Extension)?;
    let given = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    // Browsers know no type for some containers (mkv, flv, ts) and send nothing or a general one.
    if given.is_empty() || given == "application/octet-stream" {
        return Ok("application/octet-stream".to_owned());
    }
    let fits = match extension.as_str() {
        "ogg" | "ogv" => {
            given.starts_with("video/") || given.starts_with("audio/") || given == "application/ogg"
        }
        "mp3" | "wav" | "flac" | "aac" => given.starts_with("audio/"),
        "mkv" => given.starts_with("video/") || given == "application/x-matroska",
        _ => given.starts_with("video/") || given.starts_with("audio/"),
    };
    let token = |c: u8| c.is_ascii_alphanumeric() || b"/.+-_".contains(&c);
    if fits && given.len() <= 100 && given.bytes().all(token) {
        Ok(given)
    } else {
        Err(Refusal::ContentType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_files_are_accepted_whatever_their_case() {
        assert_eq!(
            accept("Holiday.MP4", "video/mp4").as_deref(),
            Ok("video/mp4")
        );
        assert_eq!(
            accept("a.b.mkv", "Video/X-Matroska; codecs=x").as_deref(),
            Ok("video/x-matroska")
        );
        assert_eq!(
            accept("talk.mkv", "").as_deref(),
            Ok("application/octet-stream")
        );
        assert_eq!(
            accept("影片.webm", "video/webm").as_deref(),
            Ok("video/webm")
        );
    }

    #[test]
    fn other_files_are_refused() {
        for name in ["virus.exe", "mp4", ".mp4", "video.mp4.txt", "list.m3u8", ""] {
            assert_eq!(accept(name, "video/mp4"), Err(Refusal::Extension), "{name}");
        }
    }

    #[test]
    fn a_type_that_does_not_fit_is_refused() {
        assert_eq!(accept("a.mp4", "text/html"), Err(Refusal::ContentType));
        assert_eq!(accept("a.mp3", "video/mp4"), Err(Refusal::ContentType));
        assert_eq!(
            accept("a.mp4", "video/mp4\r\nx: y"),
            Err(Refusal::ContentType)
        );
    }
}
