//! Containers and codecs: chunks begin where the container is asked to seek, and every one seeks in its own way.

use super::Kind;
use crate::stage::Stage;

const PICTURE: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=9";

#[tokio::test(flavor = "multi_thread")]
async fn codecs_of_every_depth() {
    let stage = Stage::new();
    for (name, codec) in [
        (
            "main10.mp4",
            "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le",
        ),
        (
            "high422.mp4",
            "-c:v libx264 -preset ultrafast -pix_fmt yuv422p10le",
        ),
        (
            "high444.mp4",
            "-c:v libx264 -preset ultrafast -pix_fmt yuv444p",
        ),
        (
            "bframes.mkv",
            "-c:v libx264 -preset veryfast -bf 8 -b_strategy 0 -g 120",
        ),
        (
            "opengop.mkv",
            "-c:v libx264 -preset veryfast -g 60 -x264-params open-gop=1",
        ),
        (
            "hevc.mp4",
            "-c:v libx265 -preset ultrafast -x265-params log-level=error",
        ),
        (
            "vp8.webm",
            "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 1M",
        ),
        (
            "vp9.webm",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 1M",
        ),
        (
            "av1.mp4",
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -b:v 1M",
        ),
        ("prores.mov", "-c:v prores -profile:v 0"),
        (
            "gray.mp4",
            "-vf hue=s=0 -c:v libx264 -preset ultrafast -pix_fmt gray",
        ),
    ] {
        let source = stage.clip(name, &format!("{PICTURE} {codec}"));
        Kind::plain(225).holds(&stage, source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_with_and_without_an_index() {
    let stage = Stage::new();
    for (name, codec, tolerance) in [
        ("stream.ts", "-c:v mpeg2video -q:v 2 -bf 2", 0),
        // Key frames ten seconds apart, and nothing says where.
        ("sparse.ts", "-c:v libx264 -preset veryfast -g 250", 0),
        ("program.mpg", "-c:v mpeg2video -q:v 2", 0),
        ("old.avi", "-c:v mpeg4 -q:v 2", 0),
        ("sorenson.flv", "-c:v flv -q:v 2", 1),
        ("h264.flv", "-c:v libx264 -preset ultrafast", 1),
        (
            "fragmented.mp4",
            "-c:v libx264 -preset ultrafast -g 25 -movflags frag_keyframe+empty_moov",
            0,
        ),
        ("windows.asf", "-c:v msmpeg4 -q:v 2", 1),
        ("mobile.3gp", "-c:v mpeg4 -q:v 2", 0),
    ] {
        let source = stage.clip(name, &format!("{PICTURE} {codec}"));
        let kind = Kind {
            frames: 225 - tolerance..=225 + tolerance,
            likeness: (tolerance == 0).then_some(28.0),
            ..Kind::plain(225)
        };
        kind.holds(&stage, source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_that_nobody_completed() {
    let stage = Stage::new();
    // What MediaRecorder writes: no duration, no index, irregular frames, Opus.
    let browser = format!(
        "{PICTURE} -f lavfi -i sine=d=9 -vf select='gt(mod(n,7),1)' -fps_mode vfr -c:v libvpx -deadline realtime \
         -cpu-used 8 -b:v 1M -c:a libopus -f webm -live 1"
    );
    let live = format!(
        "{PICTURE} -f lavfi -i sine=d=9 -c:v libx264 -preset ultrafast -c:a aac -f matroska -live 1"
    );
    for (name, make) in [("browser.webm", browser), ("live.mkv", live)] {
        let source = stage.clip(name, &make);
        let (_, plan) = stage.plan(&source).await;
        assert!(
            (plan.grid.duration() - 9.0).abs() < 0.15,
            "{name}: {:?}",
            plan.grid
        );
        let kind = Kind {
            fps: (plan.grid.fps.num, plan.grid.fps.den),
            sound: true,
            likeness: None,
            ..Kind::plain(plan.grid.frame_count)
        };
        kind.holds(&stage, source).await;
    }
}
