//! Key frames by byte range, for scrubbing: one per segment, from the segment's first byte through its first key frame.

use std::fmt::Write;

use super::{
    Rendition, Segment, Uris,
    segments::{head, list},
};

/// The I-frame playlist of a picture. Segments whose key frame is unknown make it incomplete, so there is none.
pub fn iframes(
    rendition: Rendition,
    target_duration: i32,
    segments: &[Segment],
    uris: &impl Uris,
) -> Option<String> {
    if segments.is_empty()
        || segments
            .iter()
            .any(|segment| segment.keyframe_bytes.is_none())
    {
        return None;
    }
    let mut text = String::with_capacity(256 + segments.len() * 80);
    head(&mut text, target_duration);
    text.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n");
    list(&mut text, rendition, segments, uris, |text, segment| {
        let _ = writeln!(
            text,
            "#EXT-X-BYTERANGE:{}@0",
            segment.keyframe_bytes.unwrap_or(0)
        );
    });
    text.push_str("#EXT-X-ENDLIST\n");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::playlist::fixtures::{Plain, segments};

    #[test]
    fn key_frames_are_byte_ranges() {
        insta::assert_snapshot!(iframes(Rendition::V720, 4, &segments(), &Plain).unwrap(), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:4
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-I-FRAMES-ONLY
        #EXT-X-MAP:URI="../s/v720/init.mp4?k=a"
        #EXTINF:4.004000,
        #EXT-X-BYTERANGE:20000@0
        ../s/v720/0.m4s
        #EXTINF:4.004000,
        #EXT-X-BYTERANGE:20001@0
        ../s/v720/1.m4s
        #EXT-X-DISCONTINUITY
        #EXT-X-MAP:URI="../s/v720/init.mp4?k=b"
        #EXTINF:4.004000,
        #EXT-X-BYTERANGE:20002@0
        ../s/v720/2.m4s
        #EXTINF:1.001000,
        #EXT-X-BYTERANGE:20003@0
        ../s/v720/3.m4s
        #EXT-X-ENDLIST
        "#);
        let mut unknown = segments();
        unknown[2].keyframe_bytes = None;
        assert_eq!(iframes(Rendition::V720, 4, &unknown, &Plain), None);
    }
}
