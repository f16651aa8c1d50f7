//! A picture that somebody uploaded, made anew: what leaves the sandbox is pixels, and nothing of what else was in it.

use std::{ffi::OsString, path::Path, time::Duration};

use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use super::Poster;
use crate::media::{
    error::MediaError,
    ffmpeg::{FfmpegTranscoder, Job, Work, before_picture, file_url},
};

/// Pixels, as those of a poster.
const MAX_WIDTH: i32 = 1280;
/// Pixels of the largest picture that is worth the memory.
const MOST_PIXELS: i64 = 6_000 * 6_000;

/// Demuxer and decoders of a picture, by its first bytes: neither its name nor what a browser calls it is asked.
fn format(head: &[u8]) -> Option<(&'static str, &'static str)> {
    match head {
        [0xff, 0xd8, 0xff, ..] => Some(("jpeg_pipe", "mjpeg")),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(("png_pipe", "png")),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(("webp_pipe", "webp,vp8")),
        _ => None,
    }
}

/// See [`crate::media::Transcoder::picture`].
pub(crate) async fn picture(
    transcoder: &FfmpegTranscoder,
    source: &Path,
    cancel: &CancellationToken,
) -> Result<Poster, MediaError> {
    let unreadable = |error: std::io::Error| {
        MediaError::transient("The picture cannot be read.").with_detail(error.to_string())
    };
    let mut head = Vec::new();
    let file = tokio::fs::File::open(source).await.map_err(unreadable)?;
    file.take(16)
        .read_to_end(&mut head)
        .await
        .map_err(unreadable)?;
    let (format, decoders) = format(&head).ok_or_else(|| {
        MediaError::input("not_a_picture", "This is not a JPEG, PNG or WebP picture.")
    })?;
    let dir = transcoder.work_dir("picture")?;
    let path = dir.path().join("picture.jpg");
    let absolute = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    let mut args = before_picture(format, decoders);
    args.extend(["-i".into(), file_url(&absolute)]);
    let filters = format!(
        "scale='min({MAX_WIDTH},iw)':-2:flags=bicubic:out_color_matrix=bt601:out_range=pc,setsar=1,format=yuvj420p"
    );
    args.extend(["-map", "0:v:0", "-vf", &filters].map(OsString::from));
    args.extend(["-frames:v", "1", "-update", "1", "-q:v", "3"].map(OsString::from));
    args.extend(["-map_metadata", "-1", "-f", "image2"].map(OsString::from));
    args.push(path.clone().into());
    let job = Job {
        args,
        cwd: dir.path(),
        source,
        work: Work {
            decoded: MOST_PIXELS as f64,
            picture: MOST_PIXELS,
            outputs: 1,
            ..Work::default()
        },
        expected: Duration::ZERO,
    };
    transcoder.encode(job, &|_| {}, cancel).await?;
    let made = tokio::fs::metadata(&path).await;
    if made.is_ok_and(|file| file.len() > 0) {
        return Ok(Poster { path, _dir: dir });
    }
    Err(MediaError::input(
        "not_a_picture",
        "This picture cannot be read.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_told_by_its_first_bytes() {
        assert_eq!(format(b"\xff\xd8\xff\xe0....").unwrap().0, "jpeg_pipe");
        assert_eq!(format(b"\x89PNG\r\n\x1a\n....").unwrap().0, "png_pipe");
        assert_eq!(format(b"RIFF\x10\0\0\0WEBPVP8 ").unwrap().0, "webp_pipe");
        for other in [
            &b""[..],
            b"GIF89a",
            b"<svg xmlns=",
            b"RIFF\0\0\0\0AVI LIST",
            b"#EXTM3U\n",
        ] {
            assert_eq!(format(other), None, "{other:?}");
        }
    }
}
