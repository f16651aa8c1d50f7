//! The matrix: a clip of every kind that people upload, encoded as the pipeline does it, chunk by chunk, and then read
//! as a player reads it.

/// Rules that are broken on purpose.
mod broken;
/// Containers and codecs.
mod containers;
/// Sizes, turns, fields and colours.
mod pictures;
/// Everything that is heard.
mod sounds;
/// Rates, lengths and time stamps.
mod times;

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use millrace_domain::media::{
    AudioTrack, Fps, Plan, Probe, Rendition, TIMESTAMP_BASE_SECONDS,
    mp4::samples,
    playlist::{
        self, AudioEntry, IFrameEntry, Segment, Stage as Playlist, Uris, VideoEntry, rules,
    },
};

use crate::stage::{Made, Stage, spec};

/// What is expected of a clip.
pub(crate) struct Kind<'a> {
    /// Frames a second on the grid.
    pub(crate) fps: (i32, i32),
    /// Frames on the grid.
    pub(crate) frames: RangeInclusive<i64>,
    /// Sizes of the rungs, best first.
    pub(crate) ladder: &'a [(i32, i32)],
    /// There is sound.
    pub(crate) sound: bool,
    /// The worst match of a frame with the source's of the same number, in dB; for sources that are on the grid already.
    pub(crate) likeness: Option<f64>,
}

/// A clip that went all the way.
pub(crate) struct Encoded {
    pub(crate) source: PathBuf,
    pub(crate) probe: Probe,
    pub(crate) plan: Plan,
    pub(crate) made: Made,
}

impl Kind<'_> {
    /// A picture of 25 frames a second and 160x90, so that there is one small rung; every frame is compared.
    pub(crate) fn plain(frames: i64) -> Self {
        Self {
            fps: (25, 1),
            frames: frames..=frames,
            ladder: &[(160, 90)],
            sound: false,
            likeness: Some(28.0),
        }
    }

    /// Encodes `source` whole and checks everything about it.
    pub(crate) async fn holds(&self, stage: &Stage, source: PathBuf) -> Encoded {
        let name = source.file_name().unwrap().to_string_lossy().into_owned();
        let (probe, plan) = stage.plan(&source).await;
        let grid = plan.grid;
        assert_eq!(grid.fps, Fps::new(self.fps.0, self.fps.1), "{name}");
        assert!(
            self.frames.contains(&grid.frame_count),
            "{name}: {grid:?}, {probe:?}"
        );
        let sizes: Vec<_> = plan
            .ladder
            .iter()
            .map(|rung| (rung.width, rung.height))
            .collect();
        assert_eq!(sizes, self.ladder, "{name}");
        assert_eq!(plan.audio, self.sound, "{name}");

        let mut made = Made::default();
        for chunk in &plan.chunks {
            let spec = spec(&source, &probe, &grid, &plan.ladder, *chunk);
            // Includes: init segments are the same in every chunk.
            made.add(
                stage
                    .chunk(&spec)
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error}")),
            );
        }
        if plan.audio {
            let sound = stage.audio(&source, grid, 0).await;
            made.add(sound.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
        for rung in &plan.ladder {
            on_the_grid(&name, &plan, &made, rung.rendition);
            let ask = ["-count_frames", "-show_entries", "stream=nb_read_frames"];
            let decoded = stage.inspect(&made, rung.rendition, &ask);
            assert_eq!(
                decoded,
                [grid.frame_count.to_string()],
                "{name}: {}",
                rung.rendition
            );
            let ask = [
                "-show_entries",
                "stream=pix_fmt,color_range,color_space,color_transfer,color_primaries",
            ];
            let colours = stage.inspect(&made, rung.rendition, &ask);
            assert_eq!(
                colours,
                ["yuv420p,tv,bt709,bt709,bt709"],
                "{name}: {}",
                rung.rendition
            );
        }
        if plan.audio {
            as_long_as_the_grid(&name, &plan, &made);
        }
        plays(&name, &plan, &made).await;
        if let Some(least) = self.likeness {
            let worst = stage.likeness(&made, plan.ladder[0].rendition, &source);
            assert!(worst >= least, "{name}: {worst} dB");
        }
        Encoded {
            source,
            probe,
            plan,
            made,
        }
    }
}

impl Encoded {
    /// The sound that was chosen.
    pub(crate) fn sound(&self) -> &AudioTrack {
        self.probe.audio.as_ref().unwrap()
    }

    /// What ffmpeg's filters print about the best rung.
    pub(crate) fn metadata(&self, stage: &Stage, filters: &str, key: &str) -> Vec<f64> {
        let whole = stage.file("asked.mp4", &self.made.whole(self.plan.ladder[0].rendition));
        metadata(&whole, "-vf", filters, key)
    }

    /// The sound as samples of one channel at 48 kHz.
    pub(crate) fn pcm(&self, stage: &Stage) -> Vec<i16> {
        let whole = stage.file("heard.mp4", &self.made.whole(Rendition::Audio));
        let pcm = std::process::Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(whole)
            .args(["-f", "s16le", "-ac", "1", "-"])
            .output()
            .unwrap();
        let pairs = pcm.stdout.chunks_exact(2);
        pairs
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }
}

/// What `filters` print as `key` for each frame of a file.
pub(crate) fn metadata(path: &Path, option: &str, filters: &str, key: &str) -> Vec<f64> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args([
            option,
            &format!("{filters},metadata=print:key={key}:file=-"),
        ])
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let values = printed
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.filter_map(|value| value.parse().ok()).collect()
}

/// Every frame of every segment is shown exactly when the grid says.
fn on_the_grid(name: &str, plan: &Plan, made: &Made, rendition: Rendition) {
    let (grid, init) = (plan.grid, made.init(rendition));
    let scale = i64::from(init.timescale);
    let frame = scale * i64::from(grid.fps.den) / i64::from(grid.fps.num);
    let mut shown = Vec::new();
    for ((of, n), bytes) in &made.segments {
        if *of != rendition {
            continue;
        }
        let frames = samples(bytes, &init).unwrap();
        assert_eq!(
            frames.len() as i64,
            grid.frames_of_segment(*n),
            "{name}: {rendition} {n}"
        );
        assert!(
            frames.iter().all(|f| f.length == frame),
            "{name}: {rendition} {n}"
        );
        shown.extend(frames.iter().map(|f| f.shown));
    }
    shown.sort_unstable();
    let on_grid = (0..grid.frame_count).map(|k| TIMESTAMP_BASE_SECONDS * scale + k * frame);
    assert!(
        shown.iter().copied().eq(on_grid),
        "{name}: {rendition} is off the grid"
    );
}

/// The sound ends within one AAC frame of the grid.
fn as_long_as_the_grid(name: &str, plan: &Plan, made: &Made) {
    let fragments = made.fragments(Rendition::Audio);
    let end = fragments
        .values()
        .next_back()
        .map(|last| last.start + last.length)
        .unwrap();
    let seconds = end as f64 / 48_000.0 - TIMESTAMP_BASE_SECONDS as f64;
    let apart = (seconds - plan.grid.duration()) * 48_000.0;
    assert!(
        apart.abs() <= 1024.0,
        "{name}: the sound is {apart} samples too long"
    );
}

struct Plain;

impl Uris for Plain {
    fn media(&self, rendition: Rendition) -> String {
        format!("{rendition}.m3u8")
    }
    fn iframes(&self, rendition: Rendition) -> String {
        format!("{rendition}-iframes.m3u8")
    }
    fn init(&self, rendition: Rendition, _: &str) -> String {
        format!("s/{rendition}/init.mp4")
    }
    fn segment(&self, rendition: Rendition, segment: &Segment) -> String {
        format!("s/{rendition}/{}.m4s", segment.n)
    }
}

/// Renders the playlists and holds them, with every byte that they name, to the rules.
async fn plays(name: &str, plan: &Plan, made: &Made) {
    let files = published(plan, made);
    let report = rules::examine("http://media/master.m3u8", async |url: &str| {
        let path = url.strip_prefix("http://media/").unwrap_or(url);
        files.get(path).cloned().ok_or("there is no such file")
    })
    .await;
    assert!(
        report.violations.is_empty(),
        "{name}:\n{}",
        report.complaint()
    );
    assert_eq!(report.segments as i64, plan.expected_segments(), "{name}");
}

/// All files of the presentation, as the server would serve them once it is published.
pub(crate) fn published(plan: &Plan, made: &Made) -> HashMap<String, Vec<u8>> {
    let mut files = HashMap::new();
    let target = plan.grid.target_duration();
    let mut list = |rendition: Rendition| -> Vec<Segment> {
        let init = made.init(rendition);
        files.insert(
            format!("s/{rendition}/init.mp4"),
            made.inits[&rendition].clone(),
        );
        let fragments = made.fragments(rendition);
        let rows = fragments.iter().map(|(n, fragment)| {
            let bytes = &made.segments[&(rendition, *n)];
            files.insert(format!("s/{rendition}/{n}.m4s"), bytes.clone());
            Segment {
                n: *n,
                key: String::new(),
                length: fragment.length,
                timescale: init.timescale,
                bytes: bytes.len() as i32,
                init_key: "a".into(),
                keyframe_bytes: Some(fragment.keyframe_bytes),
            }
        });
        let rows: Vec<Segment> = rows.collect();
        let text = playlist::media(rendition, Playlist::Vod, target, &rows, &Plain);
        files.insert(format!("{rendition}.m3u8"), text.into_bytes());
        if let Some(text) = playlist::iframes(rendition, target, &rows, &Plain) {
            files.insert(format!("{rendition}-iframes.m3u8"), text.into_bytes());
        }
        rows
    };
    let mut videos = Vec::new();
    for rung in &plan.ladder {
        let rows = list(rung.rendition);
        let bandwidth = playlist::measure(target, &rows);
        videos.push(VideoEntry {
            rendition: rung.rendition,
            width: rung.width,
            height: rung.height,
            fps: plan.grid.fps,
            codecs: made.init(rung.rendition).codecs,
            bandwidth: bandwidth.peak,
            average_bandwidth: Some(bandwidth.average),
            iframes: Some(IFrameEntry {
                bandwidth: playlist::measure_iframes(target, &rows),
            }),
        });
    }
    let audio = plan.audio.then(|| {
        let bandwidth = playlist::measure(target, &list(Rendition::Audio));
        AudioEntry {
            codecs: made.init(Rendition::Audio).codecs,
            bandwidth: bandwidth.peak,
            average_bandwidth: Some(bandwidth.average),
        }
    });
    let master = playlist::master(&videos, audio.as_ref(), &Plain);
    files.insert("master.m3u8".into(), master.into_bytes());
    files
}
