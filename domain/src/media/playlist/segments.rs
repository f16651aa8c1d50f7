//! The list of segments of a rendition.

use std::fmt::Write;

use super::{Rendition, Segment, Stage, Uris};

/// The media playlist of a rendition. `segments` are contiguous from 0; `target_duration` is
/// [`crate::media::Grid::target_duration`], the same for every rendition.
pub fn media(
    rendition: Rendition,
    stage: Stage,
    target_duration: i32,
    segments: &[Segment],
    uris: &impl Uris,
) -> String {
    let mut text = String::with_capacity(256 + segments.len() * 48);
    head(&mut text, target_duration);
    match stage {
        // Without it, players join the end of what looks like a live stream.
        Stage::Event { .. } => {
            text.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n");
        }
        Stage::Vod => text.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n"),
    }
    list(&mut text, rendition, segments, uris, |_, _| {});
    if stage != (Stage::Event { complete: false }) {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

pub(super) fn head(text: &mut String, target_duration: i32) {
    let _ = write!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target_duration}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n"
    );
}

/// The segments, with a map wherever the init segment changes; `more` adds tags to a segment.
pub(super) fn list(
    text: &mut String,
    rendition: Rendition,
    segments: &[Segment],
    uris: &impl Uris,
    more: impl Fn(&mut String, &Segment),
) {
    let mut init: Option<&str> = None;
    for segment in segments {
        if init != Some(&segment.init_key) {
            if init.is_some() {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let _ = writeln!(
                text,
                "#EXT-X-MAP:URI=\"{}\"",
                uris.init(rendition, &segment.init_key)
            );
            init = Some(&segment.init_key);
        }
        let _ = writeln!(text, "#EXTINF:{:.6},", segment.seconds());
        more(text, segment);
        let _ = writeln!(text, "{}", uris.segment(rendition, segment));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::{
        Fps, Grid,
        playlist::fixtures::{Plain, segments},
    };

    #[test]
    fn the_vod_playlist_of_a_picture() {
        insta::assert_snapshot!(media(Rendition::V720, Stage::Vod, 4, &segments(), &Plain), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:4
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="../s/v720/init.mp4?k=a"
        #EXTINF:4.004000,
        ../s/v720/0.m4s
        #EXTINF:4.004000,
        ../s/v720/1.m4s
        #EXT-X-DISCONTINUITY
        #EXT-X-MAP:URI="../s/v720/init.mp4?k=b"
        #EXTINF:4.004000,
        ../s/v720/2.m4s
        #EXTINF:1.001000,
        ../s/v720/3.m4s
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn an_event_playlist_grows_and_ends() {
        let event = |complete, count: usize| {
            media(
                Rendition::V720,
                Stage::Event { complete },
                4,
                &segments()[..count],
                &Plain,
            )
        };
        insta::assert_snapshot!(event(false, 1), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:4
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-PLAYLIST-TYPE:EVENT
        #EXT-X-START:TIME-OFFSET=0,PRECISE=YES
        #EXT-X-MAP:URI="../s/v720/init.mp4?k=a"
        #EXTINF:4.004000,
        ../s/v720/0.m4s
        "#);
        // A reload only ever adds lines.
        assert!(event(false, 3).starts_with(&event(false, 2)));
        assert_eq!(event(true, 4), event(false, 4) + "#EXT-X-ENDLIST\n");
    }

    proptest! {
        #[test]
        fn no_segment_exceeds_the_target(seconds in 0.1..2000.0f64, rate in 1.0..100.0f64) {
            let grid = Grid::new(Fps::nearest(rate), seconds);
            let segments: Vec<_> = (0..grid.segment_count())
                .map(|n| Segment {
                    n,
                    key: String::new(),
                    length: grid.frames_of_segment(n) * i64::from(grid.fps.den),
                    timescale: grid.fps.num,
                    bytes: 1,
                    init_key: String::new(),
                    keyframe_bytes: None,
                })
                .collect();
            let text = media(Rendition::V240, Stage::Vod, grid.target_duration(), &segments, &Plain);
            let mut total = 0.0;
            for line in text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")) {
                let length: f64 = line.trim_end_matches(',').parse().unwrap();
                prop_assert!(length.round() as i32 <= grid.target_duration());
                total += length;
            }
            prop_assert!((total - grid.duration()).abs() < 0.001);
            prop_assert_eq!(text.matches("#EXT-X-MAP").count(), 1);
        }
    }
}
