//! Bad files: a code, a sentence, and nothing left behind.

use millrace_domain::media::{
    ChunkSpec, Class, FfmpegOptions, FfmpegTranscoder, LimitOptions, MediaUser, Transcoder,
};

use crate::stage::{Stage, slice, spec};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_media_is_refused_by_name() {
    let stage = Stage::new();
    let clip = "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -c:v libx264 -preset ultrafast";
    let good = stage.clip("good.mp4", clip);
    let name = good.file_name().unwrap().to_str().unwrap();
    let whole = std::fs::read(&good).unwrap();
    let playlist =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{name}\n#EXT-X-ENDLIST\n");
    let cases = [
        (
            stage.file("text.mp4", b"This is only text, whatever its name.\n"),
            "not_media",
        ),
        (stage.file("empty.mp4", b""), "empty_file"),
        (
            stage.file("playlist.mp4", playlist.as_bytes()),
            "unsupported_format",
        ),
        (
            stage.file(
                "script.mp4",
                format!("ffconcat version 1.0\nfile {name}\n").as_bytes(),
            ),
            "unsupported_format",
        ),
        (
            stage.clip("image.png", "-f lavfi -i testsrc2 -frames:v 1"),
            "unsupported_format",
        ),
        (
            stage.clip("exotic.avi", "-f lavfi -i testsrc2=d=1 -c:v magicyuv"),
            "unsupported_codec",
        ),
        (
            stage.file("cut.mp4", &whole[..whole.len() / 2]),
            "truncated",
        ),
        (
            stage.clip(
                "huge.avi",
                "-f lavfi -i color=s=9000x5000:d=0.04 -c:v mjpeg",
            ),
            "too_large_dimensions",
        ),
        (stage.file("zeros.mp4", &[0; 4096]), "not_media"),
    ];
    for (path, code) in cases {
        let error = stage.probe(&path).await.unwrap_err();
        assert_eq!(error.code(), code, "{}: {error}", path.display());
        assert!(error.is_permanent());
        assert!(
            error.message.ends_with('.') && !error.message.contains("ffmpeg"),
            "{}",
            error.message
        );
    }
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_may_come_back() {
    let stage = Stage::new();
    let error = stage
        .probe(&stage.dir.path().join("nothing.mp4"))
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::Transient);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_middle_is_survived_or_named() {
    let stage = Stage::new();
    let source = stage.clip(
        "damaged.mkv",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=12 -c:v libx264 -preset ultrafast -g 25",
    );
    let mut bytes = std::fs::read(&source).unwrap();
    let middle = bytes.len() / 2;
    for (i, byte) in bytes[middle..middle + 20_000].iter_mut().enumerate() {
        *byte = byte.wrapping_mul(31).wrapping_add(i as u8);
    }
    let source = stage.file("damaged.mkv", &bytes);
    let (plan, made) = stage.whole(&source).await;
    let samples: i64 = made
        .fragments(plan.ladder[0].rendition)
        .values()
        .map(|f| f.samples)
        .sum();
    assert_eq!(
        samples, plan.grid.frame_count,
        "holes are filled with what stood before them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_beyond_the_end_of_a_file_is_an_error_and_no_hang() {
    let stage = Stage::new();
    let source = stage.clip("brief.mp4", "-f lavfi -i sine=d=2 -c:a aac");
    let video = stage.clip(
        "picture.mp4",
        "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -c:v libx264 -preset ultrafast",
    );
    let (probe, plan) = stage.plan(&video).await;
    let wrong = ChunkSpec {
        source,
        ..spec(
            &video,
            &probe,
            &plan.grid,
            &plan.ladder,
            slice(&plan.grid, 0, 0, plan.grid.segment_count()),
        )
    };
    let error = stage.chunk(&wrong).await.err().unwrap();
    assert_eq!(error.class, Class::Input("undecodable"), "{error}");
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_is_missing() {
    let stage = Stage::new();
    stage.transcoder.check().await.unwrap();
    assert!(stage.is_clean());
    let options = |ffmpeg: &str, user| FfmpegOptions {
        ffmpeg: ffmpeg.into(),
        ffprobe: "ffprobe".into(),
        user,
        threads: 1,
        preset: "veryfast".into(),
        limits: LimitOptions::default(),
        require_sandbox: false,
        work_dir: stage.dir.path().join("work"),
    };
    let nobody = Some(MediaUser {
        uid: 65534,
        gid: 65534,
    });
    let missing = FfmpegTranscoder::new(options("/nonexistent/ffmpeg", nobody))
        .unwrap()
        .check()
        .await
        .unwrap_err();
    assert_eq!(missing.class, Class::Configuration);
    assert!(
        missing.to_string().contains("/nonexistent/ffmpeg"),
        "{missing}"
    );
    let wrong = FfmpegTranscoder::new(options("true", nobody))
        .unwrap()
        .check()
        .await
        .unwrap_err();
    assert!(wrong.message.contains("libx264"), "{wrong}");
    if nix::unistd::geteuid().is_root() {
        assert_eq!(
            FfmpegTranscoder::new(options("ffmpeg", None))
                .err()
                .unwrap()
                .class,
            Class::Configuration
        );
    }
}
