//! Formats, codecs and protocols that are let in.
//!
//! `-protocol_whitelist file` alone is no guard: an HLS playlist or an ffconcat script named `.mp4` is read, and with it
//! whatever it points at. Only the list of formats refuses both. The list of codecs keeps exotic decoders, where most
//! holes are, out of reach.

use std::{ffi::OsString, path::Path};

/// 8192 x 4352.
pub(crate) const MAX_PIXELS: i64 = 35_651_584;

const FORMATS: &str =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,wav,mp3,aac,flac";

/// Codec, and the decoder that is allowed to read it. What the formats above carry in practice.
const CODECS: [(&str, &str); 42] = [
    ("h264", "h264"),
    ("hevc", "hevc"),
    ("vp8", "vp8"),
    ("vp9", "vp9"),
    ("av1", "libdav1d"),
    ("av1", "av1"),
    ("mpeg4", "mpeg4"),
    ("msmpeg4v3", "msmpeg4"),
    ("mpeg1video", "mpeg1video"),
    ("mpeg2video", "mpeg2video"),
    ("h263", "h263"),
    ("flv1", "flv"),
    ("wmv1", "wmv1"),
    ("wmv2", "wmv2"),
    ("wmv3", "wmv3"),
    ("vc1", "vc1"),
    ("theora", "theora"),
    ("prores", "prores"),
    ("mjpeg", "mjpeg"),
    ("aac", "aac"),
    ("alac", "alac"),
    // The one that ffmpeg takes unasked; the other is for builds without it.
    ("mp2", "mp2"),
    ("mp2", "mp2float"),
    ("mp3", "mp3float"),
    ("opus", "opus"),
    ("vorbis", "vorbis"),
    ("flac", "flac"),
    ("ac3", "ac3"),
    ("eac3", "eac3"),
    ("wmav1", "wmav1"),
    ("wmav2", "wmav2"),
    ("amr_nb", "amrnb"),
    ("amr_wb", "amrwb"),
    ("pcm_u8", "pcm_u8"),
    ("pcm_s16le", "pcm_s16le"),
    ("pcm_s16be", "pcm_s16be"),
    ("pcm_s24le", "pcm_s24le"),
    ("pcm_s24be", "pcm_s24be"),
    ("pcm_s32le", "pcm_s32le"),
    ("pcm_f32le", "pcm_f32le"),
    ("adpcm_ms", "adpcm_ms"),
    ("pcm_mulaw", "pcm_mulaw"),
];

/// Opened by ffprobe only, which gives up on a file when any of its tracks cannot be opened: subtitles, which are
/// dropped, and the still pictures that serve as cover art.
const PROBED_ONLY: &str = "mov_text,subrip,srt,ass,ssa,webvtt,text,dvdsub,dvbsub,pgssub,png,cc_dec";

/// The picture or sound is in a codec that we decode.
pub(crate) fn supports_codec(codec: &str) -> bool {
    CODECS.iter().any(|(name, _)| *name == codec)
}

/// Options before `-i` that keep a hostile file from reaching anything but itself.
pub(crate) fn before_input(probing: bool) -> Vec<OsString> {
    let mut decoders = CODECS.map(|(_, decoder)| decoder).join(",");
    if probing {
        decoders.push(',');
        decoders.push_str(PROBED_ONLY);
    }
    let pixels = MAX_PIXELS.to_string();
    let words = [
        "-protocol_whitelist",
        "file",
        "-format_whitelist",
        FORMATS,
        "-codec_whitelist",
        &decoders,
    ];
    words
        .into_iter()
        .chain(["-max_pixels", &pixels])
        .map(OsString::from)
        .collect()
}

/// Options before `-i` for a still picture whose format was told by its first bytes: one demuxer, and its decoder.
pub(crate) fn before_picture(format: &str, decoders: &str) -> Vec<OsString> {
    let pixels = MAX_PIXELS.to_string();
    ["-protocol_whitelist", "file", "-format_whitelist", format]
        .into_iter()
        .chain(["-codec_whitelist", decoders, "-max_pixels", &pixels])
        .chain(["-f", format])
        .map(OsString::from)
        .collect()
}

/// The path as ffmpeg's own URL, so that no name can be taken for an option or a protocol.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}
