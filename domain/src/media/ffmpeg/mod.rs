//! ffmpeg as a guarded, unprivileged, killable process.

/// What this ffmpeg can do.
mod check;
/// Probing.
mod examine;
/// Why a run failed.
mod failure;
/// Formats, codecs and protocols that are let in.
mod guards;
/// What one run may use.
mod limits;
/// One run of ffmpeg or ffprobe.
mod process;
/// What `-progress` says.
mod progress;
/// What keeps a hostile file in.
mod sandbox;
/// Processes that die with us.
mod spawner;
/// The transcoder that runs ffmpeg here.
mod transcoder;
/// Which parts of the sandbox work here.
mod trial;
/// Private directories, and whose they are.
mod work_dir;

pub(crate) use guards::{MAX_PIXELS, before_picture, file_url, supports_codec};
pub use limits::LimitOptions;
pub(crate) use limits::{Haste, Work};
pub(crate) use progress::Tick;
pub(crate) use transcoder::Job;
pub use transcoder::{FfmpegOptions, FfmpegTranscoder};
pub use trial::Protection;
pub use work_dir::MediaUser;
pub(crate) use work_dir::WorkDir;
