//! Why a run failed, from how it ended and what it said.

use std::{io, os::unix::process::ExitStatusExt, path::Path, process::ExitStatus};

use nix::sys::signal::Signal;

use crate::media::error::{Class, MediaError};

/// Why an encode that ended with `status` failed.
pub(super) fn failure(status: ExitStatus, stderr: &str) -> MediaError {
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    let error = if has(&[
        "No space left on device",
        "Cannot allocate memory",
        "Disk quota exceeded",
        "File too large",
        "Resource temporarily unavailable",
        "malloc of size",
        // Its settings are ours and known to be good: what it lacked was memory, or a thread.
        "Error while opening encoder",
    ]) {
        MediaError::new(Class::Resource, "The machine ran out of memory or disk.")
    } else if let Some(signal) = status.signal() {
        match Signal::try_from(signal) {
            Ok(Signal::SIGXFSZ) => too_expensive("file size"),
            Ok(Signal::SIGXCPU) => too_expensive("CPU time"),
            // Not by us, and not for its CPU time, so by the kernel for want of memory.
            Ok(Signal::SIGKILL) => {
                MediaError::new(Class::Resource, "The encoder was stopped by a limit.")
            }
            Ok(Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP) => {
                MediaError::transient("The encoder was stopped.")
            }
            _ => MediaError::new(Class::Crash, "The encoder crashed."),
        }
    } else if has(&["Permission denied"]) {
        MediaError::configuration("The encoder may not read or write its files.")
    } else if matches!(status.code(), Some(126 | 127)) {
        // From the wrappers.
        MediaError::configuration("The encoder cannot be started.")
    } else if has(&[
        "Unknown encoder",
        "No such filter",
        "Unrecognized option",
        "Option not found",
        "Unknown bitstream",
    ]) {
        MediaError::configuration("This ffmpeg lacks something that is needed.")
    } else if has(&[
        "not on whitelist",
        "matches no streams",
        "Invalid data found",
        "Error while decoding",
        "Cannot determine format of input stream",
        "Error while filtering",
    ]) {
        MediaError::input(
            "undecodable",
            "The file could not be decoded: it is damaged or of an unsupported kind.",
        )
    } else {
        MediaError::transient("The encoder failed.")
    };
    error.with_detail(format!("{status}: {}", stderr.trim()))
}

/// The limits are many times what an honest file needs, so the file is at fault.
pub(super) fn too_expensive(limit: &str) -> MediaError {
    MediaError::input(
        "too_expensive",
        "This video takes more work than is allowed for one file: it is too long, its picture is too large, or it was \
         made to be so.",
    )
    .with_detail(limit)
}

pub(super) fn stalled() -> MediaError {
    MediaError::transient("The encoder made no progress and was stopped.")
}

pub(super) fn cannot_start(program: &Path, error: &io::Error) -> MediaError {
    let detail = format!("{}: {error}", program.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            MediaError::configuration("The encoder cannot be started.").with_detail(detail)
        }
        _ => MediaError::new(Class::Resource, "The encoder cannot be started.").with_detail(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_classified() {
        let class = |raw, stderr| failure(ExitStatus::from_raw(raw), stderr).class;
        assert_eq!(class(11, ""), Class::Crash);
        assert_eq!(class(9, ""), Class::Resource);
        assert_eq!(class(15, ""), Class::Transient);
        assert_eq!(class(25, ""), Class::Input("too_expensive"));
        assert_eq!(
            class(
                1 << 8,
                "av_interleaved_write_frame(): No space left on device"
            ),
            Class::Resource
        );
        assert_eq!(
            class(1 << 8, "Unknown encoder 'libx264'"),
            Class::Configuration
        );
        assert_eq!(
            class(127 << 8, "nice: 'ffmpeg': No such file or directory"),
            Class::Configuration
        );
        assert_eq!(
            class(1 << 8, "Invalid data found when processing input"),
            Class::Input("undecodable")
        );
        assert_eq!(class(1 << 8, "something else"), Class::Transient);
    }
}
