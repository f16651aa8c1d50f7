//! A media playlist beside its bytes: durations, key frames, continuity.

use std::fmt;

use super::{
    Report, Source, resolve,
    text::{Line, Lines, attribute},
};
use crate::media::mp4::{Fragment, Init, samples};

/// Key frames at least this often, in seconds; 29.97 frames a second make it 2.002.
const KEY_EVERY: f64 = 2.01;
/// EXTINF says what the samples add up to, within this many seconds.
const EXTINF_TOLERANCE: f64 = 0.001;

/// A rendition that was read whole.
#[derive(Debug, Clone)]
pub(super) struct Track {
    /// The address of its playlist.
    pub(super) at: String,
    pub(super) picture: bool,
    pub(super) vod: bool,
    pub(super) target: i64,
    pub(super) codecs: String,
    pub(super) size: (i32, i32),
    pub(super) timescale: i32,
    pub(super) segments: Vec<Piece>,
}

/// A segment that was read.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) url: String,
    /// When it is shown first, in units of the timescale.
    pub(super) shown: i64,
    pub(super) length: i64,
    frames: i64,
    bytes: f64,
}

impl Track {
    pub(super) fn seconds(&self) -> f64 {
        self.segments.iter().map(|s| s.length).sum::<i64>() as f64 / f64::from(self.timescale)
    }

    pub(super) fn frame_rate(&self) -> f64 {
        self.segments.iter().map(|s| s.frames).sum::<i64>() as f64 / self.seconds()
    }

    /// Bits a second at the peak, as RFC 8216 defines it, and on average.
    pub(super) fn bandwidth(&self) -> (f64, f64) {
        let scale = f64::from(self.timescale);
        let pieces = self
            .segments
            .iter()
            .map(|s| (s.bytes, s.length as f64 / scale));
        bandwidth(self.target, &pieces.collect::<Vec<_>>())
    }
}

/// The peak over all runs of segments that last half to one and a half target durations, and the mean. Written apart
/// from what is checked with it.
pub(super) fn bandwidth(target: i64, pieces: &[(f64, f64)]) -> (f64, f64) {
    let sum = |run: &[(f64, f64)]| {
        run.iter()
            .fold((0.0, 0.0), |(b, s), p| (b + p.0 * 8.0, s + p.1))
    };
    let (bits, seconds) = sum(pieces);
    let mut peak = bits / seconds;
    for from in 0..pieces.len() {
        for to in from + 1..=pieces.len() {
            let (bits, seconds) = sum(&pieces[from..to]);
            if seconds > 1.5 * target as f64 {
                break;
            }
            if seconds >= 0.5 * target as f64 {
                peak = peak.max(bits / seconds);
            }
        }
    }
    (peak, bits / seconds)
}

/// Reads the media playlist that `base` names `uri`, and everything that it lists.
pub(super) async fn read<F, E>(
    report: &mut Report,
    source: &mut Source<F>,
    base: &str,
    uri: &str,
) -> Option<Track>
where
    F: AsyncFn(&str) -> Result<Vec<u8>, E>,
    E: fmt::Display,
{
    let at = resolve(report, base, uri)?;
    let lines = source.playlist(report, &at).await?;
    let (target, vod) = head(report, &at, &lines);
    let mut track: Option<Track> = None;
    let mut init: Option<(String, Init)> = None;
    let (mut extinf, mut broken_off) = (None, false);
    for line in &lines.0 {
        match line {
            Line::Tag(tag, value) if tag == "#EXTINF" => {
                extinf = value.split(',').next().and_then(|s| s.parse::<f64>().ok());
            }
            Line::Tag(tag, _) if tag == "#EXT-X-DISCONTINUITY" => broken_off = true,
            Line::Tag(tag, value) if tag == "#EXT-X-MAP" => {
                report.must(init.is_none() || broken_off, &at, || {
                    "the init segment changes without a discontinuity".to_owned()
                });
                let url = resolve(report, &at, attribute(value, "URI").unwrap_or_default())?;
                let bytes = source.bytes(report, &url).await?;
                match Init::read(&bytes) {
                    Ok(read) => init = Some((url, read)),
                    Err(error) => report.broken(&url, format!("no init segment: {error}")),
                }
            }
            Line::Tag(..) => {}
            Line::Uri(uri) => {
                let url = resolve(report, &at, uri)?;
                let Some((_, init)) = &init else {
                    report.broken(&at, "there is a segment before the first EXT-X-MAP");
                    return None;
                };
                let bytes = source.bytes(report, &url).await?;
                let track = track.get_or_insert_with(|| Track {
                    at: at.clone(),
                    picture: init.width > 0,
                    vod,
                    target,
                    codecs: init.codecs.clone(),
                    size: (init.width, init.height),
                    timescale: init.timescale,
                    segments: Vec::new(),
                });
                segment(report, track, init, extinf.take(), url, &bytes, broken_off);
                broken_off = false;
            }
        }
    }
    report.must(track.is_some(), &at, || {
        "the playlist lists nothing".to_owned()
    });
    track
}

/// The target duration, and whether nothing will follow.
fn head(report: &mut Report, at: &str, lines: &Lines) -> (i64, bool) {
    let target = lines
        .number(report, at, "#EXT-X-TARGETDURATION")
        .unwrap_or_default();
    report.must(target.fract() == 0.0 && target >= 1.0, at, || {
        format!("the target duration {target} is no whole number")
    });
    let kind = lines.value("#EXT-X-PLAYLIST-TYPE");
    let ended = lines.has("#EXT-X-ENDLIST");
    report.must(matches!(kind, Some("EVENT" | "VOD")), at, || {
        format!("the type {kind:?} is neither VOD nor EVENT")
    });
    let vod = kind == Some("VOD");
    report.must(!vod || ended, at, || {
        "a VOD playlist has no EXT-X-ENDLIST".to_owned()
    });
    report.must(vod || lines.has("#EXT-X-START"), at, || {
        "an EVENT playlist does not say where to start".to_owned()
    });
    (target as i64, vod)
}

fn segment(
    report: &mut Report,
    track: &mut Track,
    init: &Init,
    extinf: Option<f64>,
    url: String,
    bytes: &[u8],
    broken_off: bool,
) {
    let (fragment, frames) = match (Fragment::read(bytes, init), samples(bytes, init)) {
        (Ok(fragment), Ok(frames)) => (fragment, frames),
        (Err(error), _) | (_, Err(error)) => {
            report.broken(&url, format!("no media segment: {error}"));
            return;
        }
    };
    let scale = f64::from(track.timescale);
    let seconds = fragment.length as f64 / scale;
    report.must(frames.len() as i64 == fragment.samples, &url, || {
        format!("{} of {} frames are there", frames.len(), fragment.samples)
    });
    let said = extinf.unwrap_or_default();
    report.must((said - seconds).abs() <= EXTINF_TOLERANCE, &url, || {
        format!("EXTINF says {said}, and the frames last {seconds}")
    });
    report.must(said.round() as i64 <= track.target, &url, || {
        format!(
            "it lasts {said} s, longer than the target of {} s",
            track.target
        )
    });
    let shown = frames
        .iter()
        .map(|frame| frame.shown)
        .min()
        .unwrap_or(fragment.shown);
    if let Some(last) = track.segments.last()
        && !broken_off
    {
        report.must(last.shown + last.length == shown, &url, || {
            format!(
                "it begins at {shown}, and the one before ends at {}",
                last.shown + last.length
            )
        });
    }
    if track.picture {
        report.must(
            frames
                .first()
                .is_some_and(|f| f.is_idr() && f.key && f.shown == shown),
            &url,
            || "it does not begin with an IDR picture".to_owned(),
        );
        let mut keys: Vec<i64> = frames
            .iter()
            .filter(|f| f.is_idr())
            .map(|f| f.shown)
            .collect();
        keys.push(shown + fragment.length);
        for pair in keys.windows(2) {
            let apart = (pair[1] - pair[0]) as f64 / scale;
            report.must(apart <= KEY_EVERY, &url, || {
                format!("IDR pictures are {apart} s apart")
            });
        }
    }
    track.segments.push(Piece {
        url,
        shown,
        length: fragment.length,
        frames: fragment.samples,
        bytes: bytes.len() as f64,
    });
}
