//! What playlists name, and which object that is.

use millrace_domain::{
    ids::VideoId,
    media::{
        Rendition,
        playlist::{Segment, Uris},
    },
    mediaconvert,
    storage::Cdn,
};

/// The addresses in playlists. Playlists name each other relatively, so that the token in the path goes with them; and
/// they name segments relatively too, unless the CDN has them.
pub(super) struct Addresses<'a> {
    pub(super) video: VideoId,
    pub(super) generation: i32,
    pub(super) cdn: Option<&'a Cdn>,
}

impl Uris for Addresses<'_> {
    fn media(&self, rendition: Rendition) -> String {
        format!("{rendition}.m3u8")
    }

    fn iframes(&self, rendition: Rendition) -> String {
        format!("{rendition}-iframes.m3u8")
    }

    fn init(&self, rendition: Rendition, init_key: &str) -> String {
        if let Some(cdn) = self.cdn {
            return cdn.url(init_key);
        }
        let whole = generation_folder(self.video, self.generation);
        let tail = init_key.strip_prefix(&whole).unwrap_or(init_key);
        let own = format!("{rendition}/");
        format!(
            "../s/{rendition}/init.mp4?k={}",
            tail.strip_prefix(&own).unwrap_or(tail)
        )
    }

    fn segment(&self, rendition: Rendition, segment: &Segment) -> String {
        match self.cdn {
            Some(cdn) => cdn.url(&segment.key),
            None => format!("../s/{rendition}/{}.m4s", segment.n),
        }
    }
}

/// Where the segments of a generation lie.
fn generation_folder(video: VideoId, generation: i32) -> String {
    format!("hls/{video}/{generation}/")
}

/// The key of the init segment that a playlist named by `tail`: below the rendition's folder, or in one of MediaConvert's,
/// which holds all renditions, and nowhere else.
pub(super) fn init_key(
    video: VideoId,
    generation: i32,
    rendition: Rendition,
    tail: &str,
) -> Option<String> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'/' | b'.');
    let sound = !tail.is_empty()
        && tail.len() <= 100
        && tail.bytes().all(plain)
        && tail
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    let whole = generation_folder(video, generation);
    let key = if tail.starts_with(mediaconvert::FOLDER) {
        format!("{whole}{tail}")
    } else {
        format!("{whole}{rendition}/{tail}")
    };
    sound.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mediaconvert_made_lies_in_one_folder() {
        let video = VideoId::new();
        let key = format!("hls/{video}/2/mc-1-1/film_v720init.cmfv");
        let addresses = Addresses {
            video,
            generation: 2,
            cdn: None,
        };
        let uri = addresses.init(Rendition::V720, &key);
        assert_eq!(uri, "../s/v720/init.mp4?k=mc-1-1/film_v720init.cmfv");
        let tail = "mc-1-1/film_v720init.cmfv";
        assert_eq!(init_key(video, 2, Rendition::V720, tail), Some(key));
        assert_eq!(init_key(video, 2, Rendition::V720, "mc-1-1/../x"), None);
    }

    #[test]
    fn an_init_segment_lies_in_its_renditions_folder() {
        let video = VideoId::new();
        let key = format!("hls/{video}/2/v720/c0-1/init.mp4");
        let uri = Addresses {
            video,
            generation: 2,
            cdn: None,
        }
        .init(Rendition::V720, &key);
        assert_eq!(uri, "../s/v720/init.mp4?k=c0-1/init.mp4");
        assert_eq!(
            init_key(video, 2, Rendition::V720, "c0-1/init.mp4"),
            Some(key)
        );
        for tail in [
            "",
            "../v1080/c0-1/init.mp4",
            "/etc",
            "a//b",
            "a/../b",
            "a\u{0}",
            "a?b",
            "%2e%2e/x",
        ] {
            assert_eq!(init_key(video, 2, Rendition::V720, tail), None, "{tail}");
        }
    }
}
