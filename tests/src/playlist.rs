//! Playlists as a player reads them.

use anyhow::{Context as _, Result};

/// A master playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Master {
    pub variants: Vec<Variant>,
    /// The playlist of the sound.
    pub audio: Option<String>,
}

/// A quality that a master playlist offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    pub uri: String,
    /// As `640x360`.
    pub resolution: String,
    pub bandwidth: u64,
}

/// A media playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// `EVENT` or `VOD`.
    pub kind: Option<String>,
    /// Init segments, each with the index of the first segment that it is for.
    pub maps: Vec<(usize, String)>,
    pub segments: Vec<Segment>,
    pub ended: bool,
    pub discontinuities: usize,
    pub target_duration: u64,
}

/// A segment of a media playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    pub uri: String,
    /// Seconds.
    pub duration: f64,
}

impl Master {
    /// Reads a master playlist.
    ///
    /// # Errors
    /// That it is none.
    pub fn parse(text: &str) -> Result<Self> {
        anyhow::ensure!(text.starts_with("#EXTM3U"), "no playlist: {text}");
        let mut lines = text.lines();
        let (mut variants, mut audio) = (Vec::new(), None);
        while let Some(line) = lines.next() {
            if let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") {
                variants.push(Variant {
                    uri: lines.next().context("a variant has no URI")?.to_owned(),
                    resolution: attribute(attributes, "RESOLUTION").unwrap_or_default(),
                    bandwidth: attribute(attributes, "BANDWIDTH")
                        .unwrap_or_default()
                        .parse()?,
                });
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-MEDIA:")
                && attribute(attributes, "TYPE").as_deref() == Some("AUDIO")
            {
                audio = attribute(attributes, "URI");
            }
        }
        Ok(Self { variants, audio })
    }
}

impl Media {
    /// Reads a media playlist.
    ///
    /// # Errors
    /// That it is none.
    pub fn parse(text: &str) -> Result<Self> {
        anyhow::ensure!(text.starts_with("#EXTM3U"), "no playlist: {text}");
        let mut media = Self {
            kind: None,
            maps: Vec::new(),
            segments: Vec::new(),
            ended: false,
            discontinuities: 0,
            target_duration: 0,
        };
        let mut duration = None;
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-PLAYLIST-TYPE" => media.kind = Some(value.to_owned()),
                "#EXT-X-TARGETDURATION" => media.target_duration = value.parse()?,
                "#EXT-X-ENDLIST" => media.ended = true,
                "#EXT-X-DISCONTINUITY" => media.discontinuities += 1,
                "#EXT-X-MAP" => {
                    let uri = attribute(value, "URI").context("a map has no URI")?;
                    media.maps.push((media.segments.len(), uri));
                }
                "#EXTINF" => duration = Some(value.split(',').next().unwrap_or_default().parse()?),
                _ if !line.starts_with('#') && !line.trim().is_empty() => {
                    let duration = duration
                        .take()
                        .with_context(|| format!("{line} has no duration"))?;
                    media.segments.push(Segment {
                        uri: line.to_owned(),
                        duration,
                    });
                }
                _ => {}
            }
        }
        Ok(media)
    }

    /// The whole length in seconds.
    pub fn duration(&self) -> f64 {
        self.segments.iter().map(|segment| segment.duration).sum()
    }
}

/// An attribute of a list, without its quotes.
fn attribute(list: &str, name: &str) -> Option<String> {
    let mut rest = list;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if key == name {
            return Some(value.to_owned());
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_behind_quoted_commas() {
        let list = r#"BANDWIDTH=5,CODECS="avc1.4d401f,mp4a.40.2",RESOLUTION=640x360"#;
        assert_eq!(attribute(list, "RESOLUTION").as_deref(), Some("640x360"));
        assert_eq!(
            attribute(list, "CODECS").as_deref(),
            Some("avc1.4d401f,mp4a.40.2")
        );
        assert_eq!(attribute(list, "URI"), None);
    }
}
