//! Sound beside the picture: the same segments, cut within one AAC frame of the picture's boundaries.

use super::{Report, media::Track};

/// Samples in an AAC frame; the run-up of the encoder is one more.
const FRAME: f64 = 1024.0;

/// Checks that `sound` runs beside `picture`.
pub(super) fn beside(report: &mut Report, picture: &Track, sound: &Track) {
    let (of_picture, of_sound) = (picture.segments.len(), sound.segments.len());
    report.must(of_picture == of_sound, &sound.at, || {
        format!("the sound has {of_sound} segments and the picture {of_picture}")
    });
    let frame = FRAME / f64::from(sound.timescale);
    let instant = |track: &Track, time: i64| time as f64 / f64::from(track.timescale);
    for (picture_segment, segment) in picture.segments.iter().zip(&sound.segments) {
        let early = instant(picture, picture_segment.shown) - instant(sound, segment.shown);
        report.must(
            (-0.001..=frame + 0.001).contains(&early),
            &segment.url,
            || format!("the sound begins {early:.3} s before the picture's segment"),
        );
    }
    let end = |track: &Track| {
        track
            .segments
            .last()
            .map_or(0.0, |last| instant(track, last.shown + last.length))
    };
    let apart = end(sound) - end(picture);
    report.must(apart.abs() <= frame + 0.001, &sound.at, || {
        format!("the sound ends {apart:.3} s after the picture")
    });
}
