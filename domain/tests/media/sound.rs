//! The audio rendition: continuous, on the picture's clock, resumable.

use std::process::Command;

use millrace_domain::media::{Fps, Grid, Plan, Rendition};

use crate::stage::{Made, Stage};

/// Checks that segments follow each other and start within one AAC frame of the grid.
fn check(made: &Made, grid: &Grid) {
    let init = made.init(Rendition::Audio);
    assert_eq!(
        (init.codecs.as_str(), init.timescale),
        ("mp4a.40.2", 48_000)
    );
    let fragments = made.fragments(Rendition::Audio);
    let (first, last) = (
        fragments.keys().next().unwrap(),
        fragments.keys().last().unwrap(),
    );
    assert_eq!(*last + 1, grid.segment_count());
    let mut next = fragments[first].start;
    for (n, fragment) in &fragments {
        assert_eq!(fragment.start, next, "segment {n} follows");
        if n != last {
            assert_eq!(
                fragment.length % 1024,
                0,
                "segment {n} is made of whole frames"
            );
        }
        let ideal = 480_000.0 + f64::from(*n) * grid.segment_seconds() * 48_000.0;
        let early = ideal - fragment.start as f64;
        assert!(
            (0.0..=1024.0).contains(&early),
            "segment {n} is {early} samples early"
        );
        next += fragment.length;
    }
    let end = 480_000.0 + grid.duration() * 48_000.0;
    assert!(
        (end - next as f64).abs() <= 2.0 * 1024.0,
        "{next} is not {end}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_is_continuous_and_starts_with_the_picture() {
    let stage = Stage::new();
    // Silence, and a tone from 5 s on.
    let source = stage.clip(
        "tone.mp4",
        "-f lavfi -i testsrc2=s=160x90:r=30000/1001:d=18 -f lavfi -i sine=f=1000:r=44100:d=18 \
         -af volume=0:enable='lt(t,5)',aformat=channel_layouts=mono -c:v libx264 -preset ultrafast -c:a aac",
    );
    let (probe, plan) = stage.plan(&source).await;
    assert!(probe.audio.is_some() && plan.audio);
    let made = stage.audio(&source, plan.grid, 0).await.unwrap();
    assert_eq!(made.segments.len(), 5);
    check(&made, &plan.grid);
    assert_eq!(
        made.fragments(Rendition::Audio)[&0].start,
        480_000 - 1024,
        "one frame of run-up, then sample 0 at 10 s"
    );

    let path = stage.file("sound.mp4", &made.whole(Rendition::Audio));
    let pcm = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ac", "1", "-"])
        .output()
        .unwrap();
    assert!(
        pcm.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&pcm.stderr)
    );
    let samples: Vec<i16> = pcm
        .stdout
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let tone = samples
        .iter()
        .position(|sample| sample.unsigned_abs() > 1000)
        .unwrap() as i64;
    assert!(
        (tone - (1024 + 5 * 48_000)).abs() < 1024,
        "the tone is at {tone}"
    );
    drop(made);
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_is_cut_like_a_whole_one() {
    let stage = Stage::new();
    let source = stage.clip(
        "long.m4a",
        "-f lavfi -i sine=f=300:b=2:r=48000:d=90 -c:a aac",
    );
    for (fps, from) in [(Fps::new(30_000, 1001), 18), (Fps::new(25, 1), 7)] {
        let grid = Grid::new(fps, 90.0);
        let whole = stage.audio(&source, grid, 0).await.unwrap();
        let resumed = stage.audio(&source, grid, from).await.unwrap();
        check(&whole, &grid);
        check(&resumed, &grid);
        assert_eq!(whole.inits, resumed.inits);
        let before = whole.fragments(Rendition::Audio);
        let after = resumed.fragments(Rendition::Audio);
        assert_eq!(after.keys().next(), Some(&from));
        for (n, fragment) in after {
            let before = before[&n];
            assert_eq!(
                (fragment.start, fragment.length),
                (before.start, before.length),
                "segment {n}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joined_resume_has_no_click() {
    let stage = Stage::new();
    let source = stage.clip("pure.wav", "-f lavfi -i sine=f=300:r=48000:d=20");
    let grid = Grid::new(Fps::new(25, 1), 20.0);
    let mut made = stage.audio(&source, grid, 0).await.unwrap();
    let resumed = stage.audio(&source, grid, 2).await.unwrap();
    made.segments.extend(resumed.segments);
    let path = stage.file("joined.mp4", &made.whole(Rendition::Audio));
    let pcm = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ac", "1", "-"])
        .output()
        .unwrap();
    let samples: Vec<i32> = pcm
        .stdout
        .chunks_exact(2)
        .map(|pair| i32::from(i16::from_le_bytes([pair[0], pair[1]])))
        .collect();
    // A sine of 300 Hz obeys s[k+1] - 2cos(w)s[k] + s[k-1] = 0; a click does not.
    let twice_cos = 2.0 * (2.0 * std::f64::consts::PI * 300.0 / 48_000.0).cos();
    let steady = &samples[48_000..19 * 48_000];
    let error = steady
        .windows(3)
        .map(|w| (f64::from(w[2]) - twice_cos * f64::from(w[1]) + f64::from(w[0])).abs())
        .fold(0.0, f64::max);
    assert!(error < 150.0, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_without_a_picture_has_a_grid_of_its_own() {
    let stage = Stage::new();
    let source = stage.clip(
        "song.mp3",
        "-f lavfi -i sine=f=440:r=44100:d=10.5 -c:a libmp3lame -b:a 64k",
    );
    let (probe, plan) = stage.plan(&source).await;
    assert!(probe.video.is_none());
    assert!(plan.ladder.is_empty() && plan.chunks.is_empty() && plan.audio);
    assert_eq!(plan.expected_segments(), 3);
    check(
        &stage.audio(&source, plan.grid, 0).await.unwrap(),
        &plan.grid,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_is_shorter_or_longer_than_the_picture_is_fitted() {
    let stage = Stage::new();
    let make = |name: &str, picture: u32, sound: u32| {
        stage.clip(
            name,
            &format!(
                "-f lavfi -i testsrc2=s=160x90:r=25:d={picture} -f lavfi -i sine=d={sound} -c:v libx264 \
                 -preset ultrafast -c:a aac"
            ),
        )
    };
    for (name, picture, sound, frames) in [("short.mp4", 10, 3, 250), ("long.mp4", 3, 10, 250)] {
        let source = make(name, picture, sound);
        let (plan, made) = stage.whole(&source).await;
        assert!(
            (plan.grid.frame_count - frames).abs() <= 1,
            "{name}: {}",
            plan.grid.frame_count
        );
        let fragments = made.fragments(Rendition::V240);
        assert_eq!(
            fragments.values().map(|f| f.samples).sum::<i64>(),
            plan.grid.frame_count
        );
        check(
            &stage.audio(&source, plan.grid, 0).await.unwrap(),
            &plan.grid,
        );
        assert_eq!(Plan::new(&stage.probe(&source).await.unwrap(), 2), plan);
    }
}
