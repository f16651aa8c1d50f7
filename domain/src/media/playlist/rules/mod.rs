//! The rules of Apple's HLS authoring specification and of RFC 8216 as checks over what a server really serves: playlists,
//! init segments and every media segment.
//!
//! [`examine`] walks from a master playlist to the last byte, by whatever means of fetching it is given, so the same rules
//! hold in memory and over HTTP. It belongs to tests and to operators; nothing that serves depends on it.

/// Sound beside the picture.
mod audio;
/// I-frame playlists.
mod iframes;
/// What the master playlist says and must say.
mod master;
/// A media playlist beside its bytes.
mod media;
/// Playlists as text.
mod text;

use std::fmt;

use url::Url;

use media::Track;
use text::Lines;

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The playlist or segment, by its address.
    pub at: String,
    /// The rule, and what is there instead.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// What was found. [`Report::violations`] should be empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Broken rules, in the order they were found.
    pub violations: Vec<Violation>,
    /// Variants, I-frame variants and sounds of the master playlist.
    pub variants: usize,
    /// I-frame playlists.
    pub iframes: usize,
    /// Alternative sounds.
    pub sounds: usize,
    /// Media segments that were fetched and read.
    pub segments: usize,
    /// The longest variant in seconds.
    pub seconds: f64,
}

impl Report {
    /// One line per broken rule; empty when there is none.
    pub fn complaint(&self) -> String {
        let lines: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    fn broken(&mut self, at: &str, what: impl Into<String>) {
        self.violations.push(Violation {
            at: at.to_owned(),
            what: what.into(),
        });
    }

    fn must(&mut self, rule: bool, at: &str, what: impl FnOnce() -> String) {
        if !rule {
            self.broken(at, what());
        }
    }
}

/// Checks the presentation whose master playlist is at `master`, an absolute address. `fetch` is given absolute addresses
/// and answers with the whole object (redirects are its business). Byte ranges are cut here.
///
/// A presentation that is still growing (EVENT without ENDLIST) is held to what can be known of it: bandwidths are caps
/// then, and there are no I-frame playlists.
pub async fn examine<E: fmt::Display>(
    master: &str,
    fetch: impl AsyncFn(&str) -> Result<Vec<u8>, E>,
) -> Report {
    let mut report = Report::default();
    let mut source = Source { fetch };
    let Some(lines) = source.playlist(&mut report, master).await else {
        return report;
    };
    let list = master::Master::read(&mut report, master, &lines);
    report.variants = list.variants.len();
    report.iframes = list.iframes.len();
    report.sounds = list.sounds.len();

    let mut pictures = Vec::new();
    let mut sounds = Vec::new();
    for sound in &list.sounds {
        if let Some(uri) = &sound.uri {
            sounds.extend(media::read(&mut report, &mut source, master, uri).await);
        }
    }
    for variant in &list.variants {
        let Some(track) = media::read(&mut report, &mut source, master, &variant.uri).await else {
            continue;
        };
        master::compare(&mut report, variant, &track, &sounds);
        match variant.resolution {
            Some(_) => pictures.push(track),
            None => sounds.push(track),
        }
    }
    for variant in &list.iframes {
        let picture = pictures
            .iter()
            .find(|picture| variant.resolution == Some(picture.size));
        iframes::check(&mut report, &mut source, master, variant, picture).await;
    }
    let all: Vec<&Track> = pictures.iter().chain(&sounds).collect();
    together(&mut report, &all);
    if let Some(first) = pictures.first() {
        for sound in &sounds {
            audio::beside(&mut report, first, sound);
        }
        let published = pictures.iter().any(|picture| picture.vod);
        report.must(
            !published || list.iframes.len() == pictures.len(),
            master,
            || {
                format!(
                    "{} of {} qualities have an I-frame playlist",
                    list.iframes.len(),
                    pictures.len()
                )
            },
        );
    }
    report.segments = all.iter().map(|track| track.segments.len()).sum();
    report.seconds = all.iter().map(|track| track.seconds()).fold(0.0, f64::max);
    report
}

/// What holds between all renditions: one target duration, boundaries of the picture at the same instants.
fn together(report: &mut Report, tracks: &[&Track]) {
    let Some((first, others)) = tracks.split_first() else {
        return;
    };
    for other in others {
        report.must(other.target == first.target, &other.at, || {
            format!(
                "the target duration is {} here and {} elsewhere",
                other.target, first.target
            )
        });
        report.must(other.vod == first.vod, &other.at, || {
            "some playlists are VOD and some are not".to_owned()
        });
        if !(first.picture && other.picture) {
            continue;
        }
        let boundaries = |track: &Track| -> Vec<i64> {
            let micros = |time: i64| i128::from(time) * 1_000_000 / i128::from(track.timescale);
            let starts = track.segments.iter().map(|s| micros(s.shown));
            starts.filter_map(|time| i64::try_from(time).ok()).collect()
        };
        report.must(boundaries(first) == boundaries(other), &other.at, || {
            "segments do not begin where those of the other qualities do".to_owned()
        });
    }
}

/// Fetches.
struct Source<F> {
    fetch: F,
}

impl<F> Source<F> {
    async fn playlist<E>(&mut self, report: &mut Report, url: &str) -> Option<Lines>
    where
        F: AsyncFn(&str) -> Result<Vec<u8>, E>,
        E: fmt::Display,
    {
        let bytes = self.bytes(report, url).await?;
        match String::from_utf8(bytes) {
            Ok(text) => Some(Lines::new(report, url, &text)),
            Err(_) => {
                report.broken(url, "a playlist is UTF-8 text");
                None
            }
        }
    }

    async fn bytes<E>(&mut self, report: &mut Report, url: &str) -> Option<Vec<u8>>
    where
        F: AsyncFn(&str) -> Result<Vec<u8>, E>,
        E: fmt::Display,
    {
        match (self.fetch)(url).await {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                report.broken(url, format!("it cannot be fetched: {error}"));
                None
            }
        }
    }
}

/// `uri` as it stands in the document at `base`.
fn resolve(report: &mut Report, base: &str, uri: &str) -> Option<String> {
    let joined = Url::parse(base).and_then(|base| base.join(uri));
    if joined.is_err() {
        report.broken(base, format!("{uri} is no address"));
    }
    joined.ok().map(Into::into)
}
