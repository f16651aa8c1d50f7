//! Damaged files by the hundred: each ends in a video or in a readable refusal; none hangs, and nothing is left behind.
//!
//! The damage follows from a seed, so that a failure can be looked at again: `MILLRACE_MUTANTS=seed` starts from another
//! one than usual, `MILLRACE_MUTANTS=seed,count` makes more or fewer.

use std::{collections::BTreeMap, fs, path::Path};

use futures::{StreamExt as _, stream};
use millrace_domain::media::{Class, MediaError, Plan, PosterSpec, Transcoder, mp4::Fragment};
use tokio_util::sync::CancellationToken;

use crate::stage::{Made, Stage, slice, spec};

const SEED: u64 = 20_260_729;
const COUNT: usize = 210;
/// At a time. Two would leave cores idle while processes start.
const ABREAST: usize = 4;

/// A name and how the clip is made; small, since each is made two hundred times into a video.
const PICTURE: &str = "-f lavfi -i testsrc2=s=96x64:r=10:d=1";
const SOUND: &str = "-f lavfi -i sine=d=1";
/// Without this, some containers begin with a random number.
const SAME: &str = "-fflags +bitexact -flags +bitexact";
const CLIPS: [(&str, &str); 10] = [
    ("avc.mp4", "-c:v libx264 -preset ultrafast -c:a aac"),
    (
        "fast.mp4",
        "-c:v libx264 -preset ultrafast -c:a aac -movflags faststart",
    ),
    (
        "pieces.mp4",
        "-c:v libx264 -preset ultrafast -g 3 -c:a aac -movflags frag_keyframe+empty_moov",
    ),
    ("film.mov", "-c:v prores -c:a pcm_s16le"),
    ("film.mkv", "-c:v libx264 -preset ultrafast -c:a flac"),
    ("film.webm", "-c:v libvpx -deadline realtime -c:a libopus"),
    ("film.ts", "-c:v mpeg2video -c:a ac3"),
    ("film.avi", "-c:v mpeg4 -c:a mp2"),
    ("film.flv", "-c:v flv1 -ar 44100 -c:a libmp3lame"),
    ("song.ogg", "-vn -c:a libvorbis"),
];

/// A small generator of our own, which gives the same numbers for ever (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }
}

/// Damages a file in one of the ways that accidents and attackers have; `others` lend their parts.
fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) -> &'static str {
    let length = bytes.len();
    match dice.below(8) {
        0 => {
            for _ in 0..=dice.below(20) {
                let at = dice.below(length);
                bytes[at] = dice.roll() as u8;
            }
            "bytes"
        }
        1 => {
            // Headers are where the decisions are made.
            for _ in 0..=dice.below(8) {
                let at = dice.below(length.min(400));
                bytes[at] ^= 1 << dice.below(8);
            }
            "bits of the header"
        }
        2 => {
            bytes.truncate(1 + dice.below(length - 1));
            "cut"
        }
        3 => {
            // A length, or what may be one, that lies: very large, zero, or off by a little.
            let at = dice.below(length - 8);
            let lie = [u32::MAX, 0, 1, i32::MAX as u32, dice.roll() as u32][dice.below(5)];
            let boxes = [
                b"moov", b"trak", b"stsz", b"stsc", b"stco", b"mvhd", b"mdhd", b"stts", b"LIST",
                b"strf", b"idx1", b"moof",
            ];
            let name = boxes[dice.below(boxes.len())];
            let found = bytes.windows(4).position(|w| w == name);
            let at = found
                .map_or(at, |at| at.saturating_sub(4) + 4 * dice.below(5))
                .min(length - 4);
            bytes[at..at + 4].copy_from_slice(&lie.to_be_bytes());
            "length"
        }
        4 => {
            let (from, size) = (dice.below(length), 1 + dice.below(length / 3));
            let piece = bytes[from..(from + size).min(length)].to_vec();
            let to = dice.below(length);
            bytes.splice(to..to, piece);
            "doubled"
        }
        5 => {
            let (from, size) = (dice.below(length), 1 + dice.below(length / 3));
            bytes.drain(from..(from + size).min(length));
            "hole"
        }
        6 => {
            let other = &others[dice.below(others.len())];
            let size = dice.below(length.min(other.len()).min(600));
            bytes[..size].copy_from_slice(&other[..size]);
            "head of another"
        }
        _ => {
            let (from, size) = (dice.below(length), 1 + dice.below(length / 4));
            let fill = [0, 0xff, dice.roll() as u8][dice.below(3)];
            let end = (from + size).min(length);
            bytes[from..end].fill(fill);
            "blank"
        }
    }
}

/// The whole pipeline of one file, with the first segments only.
async fn process(stage: &Stage, path: &Path) -> Result<(), MediaError> {
    let probe = stage.probe(path).await?;
    let plan = Plan::new(&probe, 1);
    if let Some(first) = plan.chunks.first() {
        let chunk = slice(&plan.grid, 0, 0, first.segments);
        let lowest = &plan.ladder[plan.ladder.len() - 1..];
        let made = stage
            .chunk(&spec(path, &probe, &plan.grid, lowest, chunk))
            .await?;
        let frames = samples(&made)?;
        if frames != chunk.frames {
            let hole = format!("{frames} frames instead of {}", chunk.frames);
            return Err(MediaError::transient(hole));
        }
        let poster = PosterSpec {
            source: path.to_owned(),
            probe: probe.clone(),
        };
        // A missing poster costs no video, but its error is read, too.
        match stage
            .transcoder
            .poster(&poster, &CancellationToken::new())
            .await
        {
            Ok(poster) => assert!(fs::read(poster.path()).unwrap().starts_with(&[0xff, 0xd8])),
            Err(error) => return Err(error),
        }
    }
    if plan.audio {
        samples(&stage.audio(path, plan.grid, 0).await?)?;
    }
    Ok(())
}

/// How many frames came out; what cannot be read is as wrong as an error of the wrong kind.
fn samples(made: &Made) -> Result<i64, MediaError> {
    let segments = made.segments.iter().map(|((rendition, n), bytes)| {
        let read = Fragment::read(bytes, &made.init(*rendition));
        let read = read.map(|fragment| fragment.samples);
        read.map_err(|error| MediaError::transient(format!("{rendition} {n}: {error}")))
    });
    segments.sum()
}

/// A person learns what is wrong with the file, and nobody tries again in vain.
fn is_readable(error: &MediaError) -> bool {
    matches!(error.class, Class::Input(_))
        && error.message.ends_with('.')
        && !error.message.contains("ffmpeg")
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_become_videos_or_readable_refusals() {
    let wish = std::env::var_os("MILLRACE_MUTANTS").and_then(|wish| wish.into_string().ok());
    let mut wish = wish.iter().flat_map(|wish| wish.split(','));
    let seed = wish.next().map_or(SEED, |seed| seed.parse().unwrap());
    let count = wish.next().map_or(COUNT, |count| count.parse().unwrap());

    let stage = Stage::with(|options, _| options.threads = 1);
    let clips: Vec<(&str, Vec<u8>)> = CLIPS
        .iter()
        .map(|(name, how)| {
            let clip = stage.clip(name, &format!("{PICTURE} {SOUND} {how} {SAME}"));
            (*name, fs::read(clip).unwrap())
        })
        .collect();
    let whole: Vec<Vec<u8>> = clips.iter().map(|(_, bytes)| bytes.clone()).collect();

    let (stage, whole, clips) = (&stage, &whole, &clips);
    let runs = (0..count).map(async |n| {
        let seed = seed.wrapping_add(n as u64);
        let mut dice = Dice(seed);
        let (name, bytes) = &clips[(seed % clips.len() as u64) as usize];
        let mut bytes = bytes.clone();
        let how = mutate(&mut bytes, whole, &mut dice);
        let path = stage.file(&format!("{n}-{name}"), &bytes);
        let outcome = process(stage, &path).await;
        fs::remove_file(&path).unwrap();
        let Err(error) = outcome else {
            return ("fine", None);
        };
        let wrong = !is_readable(&error);
        let wrong = wrong.then(|| format!("MILLRACE_MUTANTS={seed},1: {name}, {how}: {error:?}"));
        (error.code(), wrong)
    });
    let outcomes: Vec<_> = stream::iter(runs).buffer_unordered(ABREAST).collect().await;
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (code, why) in outcomes {
        *tally.entry(code).or_default() += 1;
        wrong.extend(why);
    }
    println!("{tally:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stage.is_clean(), "{:?}", stage.processes());
    // Of so many, some must have been survived and some refused, or the damage is not what it is meant to be.
    assert!(
        count < COUNT || (tally["fine"] > 20 && tally.len() > 3),
        "{tally:?}"
    );
}
