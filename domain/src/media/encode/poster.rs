//! The poster: a telling frame near the beginning, as JPEG.

use std::{ffi::OsString, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Poster, PosterSpec,
    filters::{decimal, still},
};
use crate::media::{
    error::MediaError,
    ffmpeg::{FfmpegTranscoder, Job, Work},
};

/// Pixels; enough for a page, little enough for a list.
const MAX_WIDTH: i32 = 1280;
/// How much is decoded for it at most: ten seconds, and what comes before from the last key frame on.
const POSTER_SECONDS: f64 = 300.0;

/// See [`crate::media::Transcoder::poster`].
pub(crate) async fn poster(
    transcoder: &FfmpegTranscoder,
    spec: &PosterSpec,
    cancel: &CancellationToken,
) -> Result<Poster, MediaError> {
    let Some(video) = &spec.probe.video else {
        return Err(MediaError::input("no_streams", "The file has no picture."));
    };
    let tone_map = video.hdr && transcoder.can_tone_map(cancel).await?;
    let picture = still(video, MAX_WIDTH, tone_map);
    // A tenth in, past logos and fades; the most typical of the 50 frames of ten seconds.
    let at = (spec.probe.duration.clamp(0.0, 24.0 * 3600.0) * 100_000.0) as i64;
    let telling = format!("fps=5,{picture},thumbnail=n=50,format=yuvj420p");
    // What has too few frames for that has a first one.
    let first = format!("{picture},format=yuvj420p");
    for (at, filters) in [(at, telling), (0, first)] {
        let dir = transcoder.work_dir("poster")?;
        let path = dir.path().join("poster.jpg");
        let mut args: Vec<OsString> = Vec::new();
        if at > 0 {
            args.extend(["-ss".into(), decimal(at).into()]);
        }
        args.extend(transcoder.input(&spec.source));
        args.extend(
            [
                "-map",
                "0:V:0",
                "-vf",
                &filters,
                "-frames:v",
                "1",
                "-update",
                "1",
            ]
            .map(OsString::from),
        );
        args.extend(["-q:v", "3", "-map_metadata", "-1", "-f", "image2"].map(OsString::from));
        args.push(path.clone().into());
        let picture = i64::from(video.width) * i64::from(video.height);
        let seconds = video.end.min(POSTER_SECONDS);
        let work = Work {
            seconds,
            decoded: picture as f64 * video.fps * seconds,
            picture,
            outputs: 1,
            ..Work::default()
        };
        let job = Job {
            args,
            cwd: dir.path(),
            source: &spec.source,
            work,
            expected: Duration::ZERO,
        };
        transcoder.encode(job, &|_| {}, cancel).await?;
        if tokio::fs::metadata(&path)
            .await
            .is_ok_and(|file| file.len() > 0)
        {
            return Ok(Poster { path, _dir: dir });
        }
    }
    Err(MediaError::input(
        "no_picture",
        "No frame of the video could be decoded.",
    ))
}
