//! The playlists that MediaConvert writes: which objects a rendition consists of, in which order.

use super::Outputs;
use crate::media::Rendition;

/// A media playlist of theirs, with keys in place of addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The init segment.
    pub init: String,
    pub segments: Vec<Listed>,
}

/// A segment as a playlist has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub key: String,
    /// Seconds.
    pub length: f64,
}

/// The playlist is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the playlist of {rendition} {problem}")]
pub struct ManifestError {
    rendition: Rendition,
    problem: &'static str,
}

impl Manifest {
    /// Reads the playlist of a rendition.
    ///
    /// # Errors
    /// [`ManifestError`]: half of a playlist, one without an init segment, or one that leads out of its folder.
    pub fn read(
        text: &[u8],
        outputs: &Outputs,
        rendition: Rendition,
    ) -> Result<Self, ManifestError> {
        let wrong = |problem| ManifestError { rendition, problem };
        let playlist =
            m3u8_rs::parse_media_playlist_res(text).map_err(|_| wrong("cannot be read"))?;
        if !playlist.end_list {
            return Err(wrong("has no end"));
        }
        let folder = outputs.segments();
        let key = |uri: &str| {
            let plain = !uri.is_empty() && !uri.contains(['/', '?', '#', '%', ':']);
            plain
                .then(|| format!("{folder}{uri}"))
                .ok_or_else(|| wrong("leads out of its folder"))
        };
        let maps: Vec<_> = playlist
            .segments
            .iter()
            .filter_map(|s| s.map.as_ref())
            .collect();
        let Some(map) = maps.first() else {
            return Err(wrong("has no init segment"));
        };
        if maps.iter().any(|other| other.uri != map.uri) {
            return Err(wrong("has several init segments"));
        }
        let ranged = |s: &m3u8_rs::MediaSegment| {
            s.byte_range.is_some() || s.map.as_ref().is_some_and(|m| m.byte_range.is_some())
        };
        if playlist.segments.iter().any(ranged) {
            return Err(wrong("has pieces of files"));
        }
        Ok(Self {
            init: key(&map.uri)?,
            segments: playlist
                .segments
                .iter()
                .map(|segment| {
                    Ok(Listed {
                        key: key(&segment.uri)?,
                        length: f64::from(segment.duration),
                    })
                })
                .collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::VideoId;

    const THEIRS: &str = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:1\n\
        #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"film_v360init.cmfv\"\n#EXTINF:4.004,\nfilm_v360_000000001.cmfv\n\
        #EXTINF:1.5,\nfilm_v360_000000002.cmfv\n#EXT-X-ENDLIST\n";

    fn read(text: &str) -> Result<Manifest, ManifestError> {
        let outputs = Outputs {
            video: VideoId(uuid::Uuid::nil()),
            generation: 1,
            round: 1,
            attempt: 1,
        };
        Manifest::read(text.as_bytes(), &outputs, Rendition::V360)
    }

    #[test]
    fn addresses_become_keys() {
        let manifest = read(THEIRS).expect("a playlist");
        let folder = "hls/00000000-0000-0000-0000-000000000000/1/mc-1-1/";
        assert_eq!(manifest.init, format!("{folder}film_v360init.cmfv"));
        let keys: Vec<&str> = manifest.segments.iter().map(|s| s.key.as_str()).collect();
        assert_eq!(
            keys,
            [1, 2].map(|n| format!("{folder}film_v360_00000000{n}.cmfv"))
        );
        assert!((manifest.segments[0].length - 4.004).abs() < 1e-6);
    }

    #[test]
    fn what_is_half_or_leads_away_is_refused() {
        for (from, to) in [
            ("#EXT-X-ENDLIST\n", ""),
            ("#EXT-X-MAP:URI=\"film_v360init.cmfv\"\n", ""),
            ("film_v360_000000002.cmfv", "../../raw/source"),
            ("film_v360_000000002.cmfv", "https://example.org/x"),
            ("#EXTM3U", "<html>"),
        ] {
            assert!(read(&THEIRS.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }
}
