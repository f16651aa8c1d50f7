//! Unusual pictures: turned, odd, anamorphic, irregular, fast, interlaced, deep, still.

use std::path::{Path, PathBuf};

use millrace_domain::media::{Fps, PosterSpec, Transcoder};
use tokio_util::sync::CancellationToken;

use crate::stage::{Made, Stage};

/// Encodes all of it and checks that every rung has the whole grid and a plain pixel format.
async fn encoded(stage: &Stage, source: &Path) -> Made {
    let (plan, made) = stage.whole(source).await;
    for rung in &plan.ladder {
        let samples: i64 = made
            .fragments(rung.rendition)
            .values()
            .map(|fragment| fragment.samples)
            .sum();
        assert_eq!(samples, plan.grid.frame_count);
        let init = made.init(rung.rendition);
        assert_eq!((init.width, init.height), (rung.width, rung.height));
        let shape = stage.inspect(
            &made,
            rung.rendition,
            &[
                "-show_entries",
                "stream=pix_fmt,profile,sample_aspect_ratio",
            ],
        );
        assert_eq!(shape, ["High,1:1,yuv420p"]);
    }
    made
}

/// Sets the matrix of the first track to a quarter turn, as phones do.
fn turned(path: &Path) -> PathBuf {
    let mut bytes = std::fs::read(path).unwrap();
    let tkhd = bytes.windows(4).position(|kind| kind == b"tkhd").unwrap();
    let matrix: [i32; 9] = [0, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000];
    for (i, value) in matrix.iter().enumerate() {
        let at = tkhd + 4 + 40 + i * 4;
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    let path = path.with_file_name("turned.mp4");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turned_phone_is_shown_upright() {
    let stage = Stage::new();
    let flat = stage.clip(
        "flat.mp4",
        "-f lavfi -i testsrc2=s=426x240:r=30:d=1 -c:v libx264 -preset ultrafast",
    );
    let source = turned(&flat);
    let (probe, plan) = stage.plan(&source).await;
    let video = probe.video.as_ref().unwrap();
    assert_eq!((video.width, video.height, video.rotation), (240, 426, 270));
    assert_eq!((plan.ladder[0].width, plan.ladder[0].height), (240, 426));
    encoded(&stage, &source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_sizes_and_full_colour_become_even_and_plain() {
    let stage = Stage::new();
    let source = stage.clip(
        "odd.mp4",
        "-f lavfi -i testsrc2=s=161x91:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv444p",
    );
    encoded(&stage, &source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_colour_and_anamorphic_pixels_are_flattened() {
    let stage = Stage::new();
    let source = stage.clip(
        "deep.mp4",
        "-f lavfi -i testsrc2=s=320x240:r=25:d=1 -vf setsar=4/3 -c:v libx264 -preset ultrafast -pix_fmt yuv422p10le",
    );
    let (_, plan) = stage.plan(&source).await;
    assert_eq!((plan.ladder[0].width, plan.ladder[0].height), (426, 240));
    encoded(&stage, &source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn high_dynamic_range_is_tone_mapped() {
    let stage = Stage::new();
    let source = stage.clip(
        "hdr.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
    );
    assert!(stage.plan(&source).await.0.video.unwrap().hdr);
    let made = encoded(&stage, &source).await;
    let rendition = *made.inits.keys().next().unwrap();
    assert_eq!(
        stage.inspect(
            &made,
            rendition,
            &["-show_entries", "stream=color_transfer"]
        ),
        ["bt709"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn irregular_and_fast_frames_go_to_the_grid() {
    let stage = Stage::new();
    let vfr = stage.clip(
        "vfr.mp4",
        "-f lavfi -i testsrc2=s=160x90:r=60:d=6 -vf select='not(mod(n,3))+lt(mod(n,60),20)' -fps_mode vfr \
         -c:v libx264 -preset ultrafast",
    );
    let (probe, plan) = stage.plan(&vfr).await;
    assert!(probe.video.unwrap().vfr);
    assert!((plan.grid.duration() - 6.0).abs() < 0.1, "{:?}", plan.grid);
    encoded(&stage, &vfr).await;

    let fast = stage.clip(
        "fast.mp4",
        "-f lavfi -i testsrc2=s=160x90:r=120:d=2 -c:v libx264 -preset ultrafast",
    );
    let (_, plan) = stage.plan(&fast).await;
    assert_eq!(
        (plan.grid.fps, plan.grid.frame_count),
        (Fps::new(60, 1), 120)
    );
    encoded(&stage, &fast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_become_frames() {
    let stage = Stage::new();
    let source = stage.clip(
        "fields.mpg",
        "-f lavfi -i testsrc2=s=320x180:r=50:d=2 -vf tinterlace=interleave_top,fieldorder=tff -c:v mpeg2video -flags +ilme+ildct",
    );
    let (probe, plan) = stage.plan(&source).await;
    assert!(probe.video.unwrap().interlaced);
    assert_eq!(plan.grid.fps, Fps::new(25, 1));
    encoded(&stage, &source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_frame_is_a_video_too() {
    let stage = Stage::new();
    let source = stage.clip(
        "still.mp4",
        "-f lavfi -i testsrc2=s=160x90:r=25 -frames:v 1 -c:v libx264",
    );
    let (probe, plan) = stage.plan(&source).await;
    assert_eq!((plan.grid.frame_count, plan.chunks.len()), (1, 1));
    encoded(&stage, &source).await;
    poster(&stage, &source, probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_without_a_duration_is_measured() {
    let stage = Stage::new();
    // What a browser's MediaRecorder writes: a stream that nobody went back to complete.
    let source = stage.clip(
        "recorded.webm",
        "-f lavfi -i testsrc2=s=160x90:r=25:d=3 -c:v libvpx -deadline realtime -cpu-used 8 -f webm -live 1",
    );
    let (probe, plan) = stage.plan(&source).await;
    assert!((probe.duration - 3.0).abs() < 0.1, "{}", probe.duration);
    // Nothing says how long the last frame stands.
    assert!((74..=75).contains(&plan.grid.frame_count));
    encoded(&stage, &source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poster_is_a_jpeg_of_modest_width() {
    let stage = Stage::new();
    let source = stage.clip(
        "wide.mp4",
        "-f lavfi -i testsrc2=s=1920x1080:r=25:d=3 -c:v libx264 -preset ultrafast",
    );
    let (probe, _) = stage.plan(&source).await;
    let shape = poster(&stage, &source, probe).await;
    assert_eq!(shape, "mjpeg,1280,720");
    assert!(stage.is_clean());
}

async fn poster(stage: &Stage, source: &Path, probe: millrace_domain::media::Probe) -> String {
    let spec = PosterSpec {
        source: source.to_owned(),
        probe,
    };
    let poster = stage
        .transcoder
        .poster(&spec, &CancellationToken::new())
        .await
        .unwrap();
    let bytes = std::fs::read(poster.path()).unwrap();
    assert_eq!(bytes[..3], [0xff, 0xd8, 0xff]);
    let output = std::process::Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,width,height",
            "-of",
            "csv=p=0",
        ])
        .arg(poster.path())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
