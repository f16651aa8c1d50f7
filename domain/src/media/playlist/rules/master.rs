//! What the master playlist says, what it must say, and whether it is true.

use super::{
    Report,
    media::Track,
    text::{Line, Lines, attribute},
};

/// Declared and measured bandwidths may differ by this much.
const TOLERANCE: f64 = 0.10;
/// Apple's first variant: what a connection of which nothing is known can be trusted with, with the same tolerance.
const SENSIBLE_FIRST: f64 = 2_200_000.0;

/// A variant, an I-frame variant or a sound.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The master playlist, for complaints.
    pub(super) at: String,
    pub(super) uri: String,
    pub(super) bandwidth: f64,
    pub(super) average: Option<f64>,
    pub(super) codecs: Vec<String>,
    pub(super) resolution: Option<(i32, i32)>,
    frame_rate: Option<f64>,
}

/// An alternative sound.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    pub(super) uri: Option<String>,
    group: String,
}

/// The master playlist.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) variants: Vec<Entry>,
    pub(super) iframes: Vec<Entry>,
    pub(super) sounds: Vec<Sound>,
}

impl Master {
    pub(super) fn read(report: &mut Report, at: &str, lines: &Lines) -> Self {
        let mut master = Self {
            variants: Vec::new(),
            iframes: Vec::new(),
            sounds: Vec::new(),
        };
        let mut groups = Vec::new();
        let mut lines = lines.0.iter().peekable();
        while let Some(line) = lines.next() {
            let Line::Tag(tag, value) = line else {
                report.broken(at, "an address stands without its EXT-X-STREAM-INF");
                continue;
            };
            match tag.as_str() {
                "#EXT-X-STREAM-INF" => {
                    let uri = match lines.next_if(|line| matches!(line, Line::Uri(_))) {
                        Some(Line::Uri(uri)) => uri.clone(),
                        _ => {
                            report.broken(at, "a variant has no address");
                            continue;
                        }
                    };
                    let entry = Entry::read(report, at, value, uri);
                    variant(report, &entry, value);
                    groups.extend(attribute(value, "AUDIO").map(str::to_owned));
                    master.variants.push(entry);
                }
                "#EXT-X-I-FRAME-STREAM-INF" => {
                    let uri = attribute(value, "URI").unwrap_or_default().to_owned();
                    let entry = Entry::read(report, at, value, uri);
                    report.must(entry.resolution.is_some(), at, || {
                        format!("{} has no RESOLUTION", entry.uri)
                    });
                    master.iframes.push(entry);
                }
                "#EXT-X-MEDIA" if attribute(value, "TYPE") == Some("AUDIO") => {
                    master.sounds.push(sound(report, at, value));
                }
                _ => {}
            }
        }
        master.check(report, at, &groups);
        master
    }

    fn check(&self, report: &mut Report, at: &str, groups: &[String]) {
        report.must(!self.variants.is_empty(), at, || {
            "there is no variant".to_owned()
        });
        for group in groups {
            report.must(self.sounds.iter().any(|s| s.group == *group), at, || {
                format!("there is no sound in the group {group}")
            });
        }
        for sound in &self.sounds {
            let all = groups.iter().filter(|group| **group == sound.group).count();
            report.must(all == self.variants.len(), at, || {
                format!(
                    "{all} of {} variants name the group {}",
                    self.variants.len(),
                    sound.group
                )
            });
        }
        if let Some(first) = self.variants.first() {
            let least = self
                .variants
                .iter()
                .map(|v| v.bandwidth)
                .fold(f64::INFINITY, f64::min);
            report.must(first.bandwidth <= SENSIBLE_FIRST.max(least), at, || {
                format!("the first variant needs {} bit/s", first.bandwidth)
            });
        }
    }
}

impl Entry {
    fn read(report: &mut Report, at: &str, list: &str, uri: String) -> Self {
        let number = |name| attribute(list, name).and_then(|value| value.parse().ok());
        let size = attribute(list, "RESOLUTION").and_then(|size| size.split_once('x'));
        let entry = Self {
            at: at.to_owned(),
            bandwidth: number("BANDWIDTH").unwrap_or_default(),
            average: number("AVERAGE-BANDWIDTH"),
            codecs: attribute(list, "CODECS")
                .unwrap_or_default()
                .split(',')
                .map(str::to_owned)
                .collect(),
            resolution: size.and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?))),
            frame_rate: number("FRAME-RATE"),
            uri,
        };
        let Self { uri, bandwidth, .. } = &entry;
        report.must(!uri.is_empty(), at, || "an entry has no address".to_owned());
        report.must(*bandwidth > 0.0, at, || format!("{uri} has no BANDWIDTH"));
        report.must(!entry.codecs[0].is_empty(), at, || {
            format!("{uri} has no CODECS")
        });
        report.must(entry.average.is_none_or(|a| a <= *bandwidth), at, || {
            format!("{uri} has more on average than at its peak")
        });
        let range = attribute(list, "VIDEO-RANGE");
        report.must(
            entry.resolution.is_none() || range == Some("SDR"),
            at,
            || format!("{uri} has the VIDEO-RANGE {range:?}, not SDR"),
        );
        entry
    }
}

fn variant(report: &mut Report, entry: &Entry, list: &str) {
    let Entry { at, uri, .. } = entry;
    let picture = entry.codecs.iter().any(|codec| codec.starts_with("avc1."));
    if !picture {
        report.must(entry.resolution.is_none(), at, || {
            format!("{uri} has a RESOLUTION and no picture")
        });
        return;
    }
    report.must(entry.resolution.is_some(), at, || {
        format!("{uri} has no RESOLUTION")
    });
    report.must(entry.frame_rate.is_some(), at, || {
        format!("{uri} has no FRAME-RATE")
    });
    report.must(entry.frame_rate.is_none_or(|rate| rate <= 60.0), at, || {
        format!("{uri} has more than 60 frames a second")
    });
    report.must(
        attribute(list, "CLOSED-CAPTIONS") == Some("NONE"),
        at,
        || format!("{uri} does not say that it has no captions inside (CLOSED-CAPTIONS=NONE)"),
    );
}

fn sound(report: &mut Report, at: &str, list: &str) -> Sound {
    for name in [
        "GROUP-ID",
        "NAME",
        "CHANNELS",
        "URI",
        "DEFAULT",
        "AUTOSELECT",
    ] {
        report.must(
            attribute(list, name).is_some_and(|v| !v.is_empty()),
            at,
            || format!("a sound has no {name}"),
        );
    }
    Sound {
        uri: attribute(list, "URI").map(str::to_owned),
        group: attribute(list, "GROUP-ID").unwrap_or_default().to_owned(),
    }
}

/// Compares what a variant declares with what its playlist and its sound hold.
pub(super) fn compare(report: &mut Report, entry: &Entry, track: &Track, sounds: &[Track]) {
    let Entry { at, uri, .. } = entry;
    let with_sound: Vec<&Track> = if track.picture {
        sounds.iter().collect()
    } else {
        Vec::new()
    };
    let mut codecs = vec![track.codecs.as_str()];
    codecs.extend(with_sound.iter().map(|sound| sound.codecs.as_str()));
    report.must(entry.codecs == codecs, at, || {
        format!(
            "{uri} has the CODECS {:?}, and its bytes are {codecs:?}",
            entry.codecs
        )
    });
    if track.picture {
        report.must(entry.resolution == Some(track.size), at, || {
            format!(
                "{uri} has the RESOLUTION {:?}, and its picture is {:?}",
                entry.resolution, track.size
            )
        });
        // Stated with three digits.
        let (said, real) = (entry.frame_rate.unwrap_or_default(), track.frame_rate());
        report.must((said - real).abs() < 0.01, at, || {
            format!("{uri} has the FRAME-RATE {said}, and its frames come at {real}")
        });
    }
    let (peak, average) = track.bandwidth();
    let loudest = with_sound.iter().map(|sound| sound.bandwidth());
    let (sound_peak, sound_average) = loudest.fold((0.0f64, 0.0f64), |(p, a), (peak, average)| {
        (p.max(peak), a.max(average))
    });
    let (peak, average) = (peak + sound_peak, average + sound_average);
    if track.vod {
        near(report, at, uri, "BANDWIDTH", Some(entry.bandwidth), peak);
        near(report, at, uri, "AVERAGE-BANDWIDTH", entry.average, average);
    }
}

/// A declared bandwidth is what was measured, within a tenth.
pub(super) fn near(
    report: &mut Report,
    at: &str,
    uri: &str,
    name: &str,
    said: Option<f64>,
    real: f64,
) {
    match said {
        None => report.broken(at, format!("{uri} has no {name}")),
        Some(said) => report.must((said / real - 1.0).abs() <= TOLERANCE, at, || {
            format!("{uri} has the {name} {said}, and {real:.0} was measured")
        }),
    }
}
