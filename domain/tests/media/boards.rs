//! Storyboards and pictures, of sources that are not as usual.

use std::path::Path;

use millrace_domain::media::{Layout, MediaError, Storyboard, StoryboardSpec, Transcoder as _};
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

async fn board(stage: &Stage, source: &Path) -> Result<Storyboard, MediaError> {
    let probe = stage.probe(source).await.unwrap();
    let spec = StoryboardSpec {
        source: source.to_owned(),
        probe,
    };
    let cancel = CancellationToken::new();
    stage.transcoder.storyboard(&spec, &cancel).await
}

fn size(path: &Path) -> String {
    Stage::inspect_file(path, &["-show_entries", "stream=width,height"]).concat()
}

/// How bright a shot is on the whole.
fn brightness(stage: &Stage, board: &Storyboard, n: i32) -> f64 {
    let (sheet, x, y) = board.layout.place(n);
    let Layout { width, height, .. } = board.layout;
    let raw = stage.dir.path().join("shot.gray");
    let cut = format!("crop={width}:{height}:{x}:{y},format=gray");
    let made = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .arg(&board.sheets[usize::try_from(sheet).unwrap()])
        .args(["-vf", &cut, "-f", "rawvideo"])
        .arg(&raw)
        .status()
        .unwrap();
    assert!(made.success());
    let bytes = std::fs::read(raw).unwrap();
    bytes.iter().map(|&b| f64::from(b)).sum::<f64>() / bytes.len() as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shot_is_of_its_moment() {
    let stage = Stage::new();
    // Black, and white from 20 s on.
    let source = stage.clip(
        "turn.mp4",
        "-f lavfi -i color=black:s=320x180:r=25:d=20 -f lavfi -i color=white:s=320x180:r=25:d=10 \
         -filter_complex [0][1]concat=n=2:v=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let board = board(&stage, &source).await.unwrap();
    assert_eq!((board.layout.shots, board.sheets.len()), (30, 2));
    assert_eq!(size(&board.sheets[1]), "800,450");
    for (n, bright) in [(0, false), (18, false), (21, true), (25, true), (29, true)] {
        let value = brightness(&stage, &board, n);
        assert_eq!(value > 128.0, bright, "shot {n} has {value}");
    }
    assert_eq!(board.candidates.len(), 3);
    assert_eq!(size(&board.candidates[2]), "320,180");
    drop(board);
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_frame_is_a_storyboard_of_one() {
    let stage = Stage::new();
    let source = stage.clip(
        "one.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -frames:v 1 -c:v libx264 -pix_fmt yuv420p",
    );
    let board = board(&stage, &source).await.unwrap();
    assert_eq!((board.layout.shots, board.sheets.len()), (1, 1));
    assert!(!board.candidates.is_empty());
    assert!(brightness(&stage, &board, 0) > 20.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_read_by_its_key_frames() {
    let stage = Stage::new();
    let source = stage.clip(
        "hour.mp4",
        "-f lavfi -i testsrc2=s=160x90:r=5:d=3600 -c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p",
    );
    let board = board(&stage, &source).await.unwrap();
    assert_eq!((board.layout.shots, board.sheets.len()), (120, 5));
    assert!((board.layout.interval - 30.0).abs() < 0.1);
    assert!(brightness(&stage, &board, 119) > 20.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turned_picture_is_upright() {
    let stage = Stage::new();
    let plain = stage.clip(
        "plain.mp4",
        "-f lavfi -i testsrc2=s=640x360:r=25:d=3 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let turned = stage.clip(
        "turned.mp4",
        &format!("-i {} -c copy -metadata:s:v:0 rotate=90", plain.display()),
    );
    let board = board(&stage, &turned).await.unwrap();
    assert_eq!((board.layout.width, board.layout.height), (90, 160));
    assert_eq!(size(&board.candidates[0]), "360,640");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_alone_has_no_storyboard() {
    let stage = Stage::new();
    let source = stage.clip("tone.m4a", "-f lavfi -i sine=d=3 -c:a aac");
    let error = board(&stage, &source).await.unwrap_err();
    assert_eq!(error.code(), "no_picture");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploaded_pictures_are_made_anew() {
    let stage = Stage::new();
    let cancel = CancellationToken::new();
    for (name, encoder, expected) in [
        ("large.png", "", "1280,720"),
        ("large.jpg", "", "1280,720"),
        ("small.webp", "-s 200x100 -c:v libwebp", "200,100"),
    ] {
        let filter = "-f lavfi -i testsrc2=s=1920x1080 -frames:v 1";
        let source = stage.clip(name, &format!("{filter} {encoder}"));
        // Neither the name nor what is behind the picture matters.
        let renamed = stage.file("upload-1", &std::fs::read(source).unwrap());
        let made = stage.transcoder.picture(&renamed, &cancel).await.unwrap();
        assert_eq!(size(made.path()), expected, "{name}");
        let bytes = std::fs::read(made.path()).unwrap();
        assert!(bytes.starts_with(b"\xff\xd8\xff"));
    }
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_is_refused() {
    let stage = Stage::new();
    let cancel = CancellationToken::new();
    let png = [&b"\x89PNG\r\n\x1a\n"[..], &[0; 60]].concat();
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("list.jpg", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("torn.png", &png),
        ("torn.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    ] {
        let source = stage.file(name, bytes);
        let refused = stage.transcoder.picture(&source, &cancel).await;
        assert!(refused.is_err(), "{name}");
    }
    assert!(stage.is_clean());
}
