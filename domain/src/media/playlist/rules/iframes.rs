//! I-frame playlists: ranges that are one IDR picture each, and bandwidths as measured.

use std::fmt;

use super::{
    Report, Source,
    master::{Entry, near},
    media::{Track, bandwidth},
    resolve,
    text::{Line, attribute},
};
use crate::media::mp4::{Init, samples};

/// Checks the I-frame playlist of `picture`.
pub(super) async fn check<F, E>(
    report: &mut Report,
    source: &mut Source<F>,
    master: &str,
    entry: &Entry,
    picture: Option<&Track>,
) where
    F: AsyncFn(&str) -> Result<Vec<u8>, E>,
    E: fmt::Display,
{
    let Some(at) = resolve(report, master, &entry.uri) else {
        return;
    };
    let Some(lines) = source.playlist(report, &at).await else {
        return;
    };
    report.must(lines.has("#EXT-X-I-FRAMES-ONLY"), &at, || {
        "EXT-X-I-FRAMES-ONLY is missing".to_owned()
    });
    report.must(lines.has("#EXT-X-ENDLIST"), &at, || {
        "EXT-X-ENDLIST is missing".to_owned()
    });
    let target = lines
        .number(report, &at, "#EXT-X-TARGETDURATION")
        .unwrap_or_default();
    let (mut init, mut seconds, mut range) = (None, 0.0, None);
    let mut pieces = Vec::new();
    for line in &lines.0 {
        match line {
            Line::Tag(tag, value) if tag == "#EXTINF" => {
                seconds = value.trim_end_matches(',').parse().unwrap_or_default();
            }
            Line::Tag(tag, value) if tag == "#EXT-X-BYTERANGE" => range = byte_range(value),
            Line::Tag(tag, value) if tag == "#EXT-X-MAP" => {
                let uri = attribute(value, "URI").unwrap_or_default();
                let Some(url) = resolve(report, &at, uri) else {
                    return;
                };
                let Some(bytes) = source.bytes(report, &url).await else {
                    return;
                };
                init = Init::read(&bytes).ok();
            }
            Line::Tag(..) => {}
            Line::Uri(uri) => {
                let Some(url) = resolve(report, &at, uri) else {
                    return;
                };
                let Some(bytes) = source.bytes(report, &url).await else {
                    return;
                };
                let (Some(init), Some((from, to))) = (&init, range.take()) else {
                    report.broken(&url, "it has no EXT-X-MAP or no EXT-X-BYTERANGE");
                    return;
                };
                let Some(part) = bytes.get(from..to) else {
                    report.broken(
                        &url,
                        format!("the range {from}..{to} exceeds its {} bytes", bytes.len()),
                    );
                    continue;
                };
                let frames = samples(part, init).unwrap_or_default();
                let whole =
                    matches!(&frames[..], [only] if only.is_idr() && only.end == part.len());
                report.must(whole, &url, || {
                    format!("the range {from}..{to} is not one IDR picture")
                });
                pieces.push((part.len() as f64, seconds));
            }
        }
    }
    report.must(picture.is_some(), &at, || {
        format!("no picture has its RESOLUTION {:?}", entry.resolution)
    });
    if let Some(picture) = picture {
        report.must(target as i64 == picture.target, &at, || {
            "its target duration is another than its picture's".to_owned()
        });
        let all: f64 = pieces.iter().map(|piece| piece.1).sum();
        report.must((all - picture.seconds()).abs() < 0.01, &at, || {
            format!("it lasts {all} s, and its picture {} s", picture.seconds())
        });
    }
    if !pieces.is_empty() {
        let (peak, average) = bandwidth(target as i64, &pieces);
        near(
            report,
            master,
            &entry.uri,
            "BANDWIDTH",
            Some(entry.bandwidth),
            peak,
        );
        near(
            report,
            master,
            &entry.uri,
            "AVERAGE-BANDWIDTH",
            entry.average,
            average,
        );
    }
}

/// `length@offset`.
fn byte_range(value: &str) -> Option<(usize, usize)> {
    let (length, offset) = value.split_once('@')?;
    let (length, offset): (usize, usize) = (length.parse().ok()?, offset.parse().ok()?);
    Some((offset, offset.checked_add(length)?))
}
