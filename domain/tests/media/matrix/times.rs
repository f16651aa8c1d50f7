//! Rates, lengths and time stamps.

use millrace_domain::media::{Plan, TIMESTAMP_BASE_SECONDS};

use super::Kind;
use crate::stage::{Made, Stage, spec};

const FAST: &str = "-c:v libx264 -preset ultrafast";

#[tokio::test(flavor = "multi_thread")]
async fn every_rate_goes_to_the_nearest() {
    let stage = Stage::new();
    for (name, rate, fps, frames) in [
        ("film.mp4", "24000/1001", (24_000, 1001), 216),
        ("ntsc60.mp4", "60000/1001", (60_000, 1001), 540),
        ("fast.mp4", "120", (60, 1), 540),
        ("slow.mp4", "5", (10, 1), 90),
        ("slides.mp4", "1", (10, 1), 90),
        ("odd.mp4", "17", (15, 1), 135),
    ] {
        let make = format!("-f lavfi -i testsrc2=s=160x90:r={rate}:d=9 {FAST} -g 30");
        // What has that rate already is compared frame by frame.
        let kept = rate == format!("{}/{}", fps.0, fps.1);
        let kind = Kind {
            fps,
            frames: frames - 1..=frames + 1,
            likeness: kept.then_some(28.0),
            ..Kind::plain(0)
        };
        kind.holds(&stage, stage.clip(name, &make)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn irregular_frames() {
    let stage = Stage::new();
    let irregular = "-vf select='not(mod(n,3))+lt(mod(n,90),20)' -fps_mode vfr";
    // Matroska says a rate and keeps none; MP4 has a time of its own for every frame, as phones write it.
    for (name, source) in [
        ("irregular.mkv", "testsrc2=s=160x90:r=30:d=9"),
        ("phone.mp4", "testsrc2=s=160x90:r=30:d=9"),
        ("fast.mp4", "testsrc2=s=160x90:r=60:d=9"),
    ] {
        let make = format!("-f lavfi -i {source} {irregular} {FAST} -g 15");
        let source = stage.clip(name, &make);
        let (_, Plan { grid, .. }) = stage.plan(&source).await;
        assert!((grid.duration() - 9.0).abs() < 0.11, "{name}: {grid:?}");
        let kind = Kind {
            fps: (grid.fps.num, grid.fps.den),
            likeness: None,
            ..Kind::plain(grid.frame_count)
        };
        kind.holds(&stage, source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_short_ones() {
    let stage = Stage::new();
    let picture = "-f lavfi -i testsrc2=s=160x90:r=25";
    let one = stage.clip("one.mp4", &format!("{picture} -frames:v 1 {FAST}"));
    Kind::plain(1).holds(&stage, one).await;
    let blink = stage.clip("blink.mp4", &format!("{picture} -t 0.2 {FAST}"));
    Kind::plain(5).holds(&stage, blink).await;
    let both = format!("{picture} -f lavfi -i sine -t 0.2 {FAST} -c:a aac");
    let kind = Kind {
        sound: true,
        frames: 5..=6,
        likeness: None,
        ..Kind::plain(5)
    };
    kind.holds(&stage, stage.clip("blip.mp4", &both)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_stands_still_for_long() {
    let stage = Stage::new();
    // One frame that lasts a minute, beside sound.
    let make = format!(
        "-f lavfi -i testsrc2=s=160x90:r=1/60:d=60 -f lavfi -i sine=d=60 -fps_mode passthrough {FAST} -c:a aac"
    );
    let kind = Kind {
        fps: (10, 1),
        frames: 599..=601,
        sound: true,
        likeness: None,
        ..Kind::plain(0)
    };
    kind.holds(&stage, stage.clip("slide.mp4", &make)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_stamps_that_start_anywhere() {
    let stage = Stage::new();
    let picture = "-f lavfi -i testsrc2=s=160x90:r=25:d=9";
    let tone = "-f lavfi -i sine=f=440:r=48000:d=9";
    // The picture begins with the file or later; either way the grid begins with the file.
    for (name, args, frames) in [
        (
            "offset.ts",
            format!("{picture} {FAST} -muxdelay 0 -output_ts_offset 3600"),
            225..=225,
        ),
        (
            "late_sound.mkv",
            format!("{picture} -itsoffset 2 {tone} -t 9 {FAST} -c:a aac"),
            225..=226,
        ),
        (
            "late_picture.mkv",
            format!("-itsoffset 1 {picture} {tone} -t 9 {FAST} -c:a aac"),
            225..=251,
        ),
        (
            "late_picture.mp4",
            format!("-itsoffset 1 {picture} {tone} -t 9 {FAST} -c:a aac"),
            225..=251,
        ),
        (
            "early_sound.mkv",
            format!("{picture} {tone} {FAST} -c:a libopus -t 9"),
            225..=226,
        ),
        (
            "both.ts",
            format!("{picture} {tone} {FAST} -c:a aac"),
            225..=228,
        ),
    ] {
        let sound = !name.starts_with("offset");
        let kind = Kind {
            frames,
            sound,
            likeness: None,
            ..Kind::plain(0)
        };
        kind.holds(&stage, stage.clip(name, &args)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_list_that_cuts_the_beginning() {
    let stage = Stage::new();
    let whole = format!(
        "-f lavfi -i testsrc2=s=160x90:r=25:d=12 -f lavfi -i sine=d=12 {FAST} -g 250 -c:a aac"
    );
    let whole = stage.clip("whole.mp4", &whole);
    // A copy from the middle of a GOP keeps its key frame, and an edit list hides it.
    let cut = stage.clip("cut.mp4", &format!("-ss 3 -i {} -c copy", whole.display()));
    let kind = Kind {
        frames: 224..=227,
        sound: true,
        likeness: None,
        ..Kind::plain(0)
    };
    let made = kind.holds(&stage, cut).await;
    // The first frame is that of second 3: half of the others would be like it otherwise.
    let shown = stage.likeness(&made.made, made.plan.ladder[0].rendition, &made.source);
    assert!(shown > 20.0, "{shown} dB");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_encoded_at_its_beginning_its_middle_and_its_end() {
    let stage = Stage::new();
    let minute = format!(
        "-f lavfi -i testsrc2=s=64x36:r=25:d=60 -f lavfi -i sine=d=60 {FAST} -g 50 -c:a aac -shortest"
    );
    let minute = stage.clip("minute.mp4", &minute);
    let hour = format!("-stream_loop 59 -i {} -c copy -t 3600", minute.display());
    let source = stage.clip("hour.mp4", &hour);
    let (probe, plan) = stage.plan(&source).await;
    let grid = plan.grid;
    assert!((grid.duration() - 3600.0).abs() < 3.0, "{grid:?}");
    assert_eq!(
        grid.segment_count(),
        900 + i32::from(grid.frame_count > 90_000)
    );
    let mut made = Made::default();
    for i in [0, plan.chunks.len() / 2, plan.chunks.len() - 1] {
        let spec = spec(&source, &probe, &grid, &plan.ladder, plan.chunks[i]);
        made.add(stage.chunk(&spec).await.unwrap());
    }
    let rendition = plan.ladder[0].rendition;
    let fragments = made.fragments(rendition);
    assert_eq!(
        fragments.keys().next_back(),
        Some(&(grid.segment_count() - 1))
    );
    for (n, fragment) in fragments {
        let first = i64::from(n) * i64::from(grid.segment_frames);
        let shown = TIMESTAMP_BASE_SECONDS * 25_000 + first * 1000;
        assert_eq!(
            (fragment.shown, fragment.samples),
            (shown, grid.frames_of_segment(n))
        );
        assert!(fragment.starts_with_key);
    }
}
