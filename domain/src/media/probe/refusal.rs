//! Why a file cannot become a video, in words a person understands.

use crate::media::error::{Class, MediaError};

/// Why ffprobe refused a file, from the end of what it said.
pub(crate) fn refusal(stderr: &str) -> MediaError {
    let error = if stderr.contains("Permission denied") {
        MediaError::configuration("The encoder may not read the source file.")
    } else if stderr.contains("No such file or directory") || stderr.contains("Input/output error")
    {
        MediaError::transient("The source file cannot be read.")
    } else if stderr.contains("Cannot allocate memory") {
        MediaError::new(Class::Resource, "The machine ran out of memory.")
    } else if stderr.contains("Format not on whitelist") {
        MediaError::input("unsupported_format", "This kind of file is not supported.")
    } else if stderr.contains("not on whitelist") {
        MediaError::input(
            "unsupported_codec",
            "The file uses a codec that is not supported.",
        )
    } else if stderr.contains("moov atom not found") {
        MediaError::input("truncated", "The file is incomplete: its end is missing.")
    } else if stderr.contains("max pixel") || stderr.contains("Picture size") {
        too_large()
    } else {
        MediaError::input(
            "not_media",
            "The file is not a video or audio file, or it is damaged.",
        )
    };
    error.with_detail(stderr.trim())
}

pub(super) fn too_large() -> MediaError {
    MediaError::input(
        "too_large_dimensions",
        "The picture is larger than 8192x4352 pixels.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_codes() {
        assert_eq!(
            refusal("Invalid data found when processing input").code(),
            "not_media"
        );
        assert_eq!(
            refusal("[hls] Format not on whitelist 'mov'").code(),
            "unsupported_format"
        );
        assert_eq!(
            refusal("Codec (magicyuv) not on whitelist 'h264'").code(),
            "unsupported_codec"
        );
    }
}
