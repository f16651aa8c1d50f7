//! Bad files: a code, a sentence, and nothing left behind.

use millrace_domain::media::{
    ChunkSpec, Class, FfmpegOptions, FfmpegTranscoder, LimitOptions, MediaUser, PosterSpec,
    Transcoder,
};

use tokio_util::sync::CancellationToken;

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

/// Values that a header may claim, and what comes of them.
#[tokio::test(flavor = "multi_thread")]
async fn absurd_claims_are_refused_by_name() {
    let stage = Stage::new();
    let clip = "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264 -preset ultrafast";
    let whole = std::fs::read(stage.clip("good.mkv", clip)).unwrap();
    // The length of a Matroska file in milliseconds, a double.
    let field = [0x44, 0x89, 0x88];
    let at = whole.windows(3).position(|w| w == field).unwrap() + 3;
    for (claim, code) in [
        (1e9, Some("too_long")),
        (1e300, None),
        (f64::INFINITY, None),
        (f64::NAN, None),
        (-5.0, None),
        (0.0, None),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&f64::to_be_bytes(claim));
        let source = stage.file("claim.mkv", &bytes);
        match (stage.probe(&source).await, code) {
            (Err(error), Some(code)) => assert_eq!(error.code(), code, "{claim}: {error}"),
            (Err(error), None) => assert!(error.is_permanent(), "{claim}: {error}"),
            // What is no length is measured instead.
            (Ok(probe), None) => {
                assert!((0.9..1.2).contains(&probe.duration), "{claim}: {probe:?}");
            }
            (Ok(probe), Some(_)) => panic!("{claim}: {probe:?}"),
        }
    }
    let many = (0..33).map(|_| "-map 0").collect::<Vec<_>>().join(" ");
    let many = format!("-f lavfi -i sine=d=0.2 {many} -c:a pcm_s16le");
    let silence = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0";
    for (source, code) in [
        (stage.clip("many.mkv", &many), "too_many_streams"),
        (stage.file("silence.wav", silence), "zero_duration"),
        (
            stage.clip("exotic.mkv", "-f lavfi -i testsrc2=d=1 -c:v magicyuv"),
            "unsupported_codec",
        ),
        (
            stage.clip("exotic.mov", "-f lavfi -i testsrc2=d=1 -c:v qtrle"),
            "unsupported_codec",
        ),
    ] {
        let error = stage.probe(&source).await.unwrap_err();
        assert_eq!(error.code(), code, "{}: {error}", source.display());
    }
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_unfolds_beyond_measure_is_too_expensive() {
    let clip = "-f lavfi -i testsrc2=s=1280x720:r=30:d=8 -c:v libx264 -preset ultrafast";
    // Known before anything is decoded: 221 million pixels.
    let stage = Stage::with(|options, _| options.limits.pixels = 200e6);
    let error = stage
        .probe(&stage.clip("bomb.mp4", clip))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "too_expensive", "{error}");
    // Found out while it is encoded: a preset that takes minutes of CPU time, and a second of it.
    let stage = Stage::with(|options, _| {
        options.preset = "placebo".into();
        options.limits.factor = 0.001;
    });
    let source = stage.clip("bomb.mp4", clip);
    let (probe, plan) = stage.plan(&source).await;
    let chunk = slice(&plan.grid, 0, 0, plan.grid.segment_count());
    let spec = spec(&source, &probe, &plan.grid, &plan.ladder, chunk);
    let error = stage.chunk(&spec).await.err().unwrap();
    assert_eq!(error.code(), "too_expensive", "{error}");
    assert_eq!(error.detail, "CPU time");
    // Out of memory is nobody's fault, and may be better elsewhere.
    let stage = Stage::with(|options, _| options.limits.memory = 150 << 20);
    let error = stage.chunk(&spec).await.err().unwrap();
    assert_eq!(error.class, Class::Resource, "{error}");
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_only_names() {
    let stage = Stage::new();
    let clip = "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264 -preset ultrafast";
    let whole = std::fs::read(stage.clip("good.mp4", clip)).unwrap();
    for name in [
        "-i.mp4",
        "%03d.mp4",
        "concat:a|b.mp4",
        "http:__127.0.0.1.mp4",
        "it's \"quoted\" $(reboot) `x` \\040 #\t*?.mp4",
        "two\nlines.mp4",
        "..mp4",
        "影片.exe",
    ] {
        let source = stage.file(name, &whole);
        let probe = stage.probe(&source).await;
        assert_eq!(probe.unwrap().format, "mov,mp4,m4a,3gp,3g2,mj2", "{name}");
        stage.whole(&source).await;
    }
    assert!(stage.is_clean());
}

/// What a file says about its maker, and what it is besides a video, does not reach those who watch.
#[tokio::test(flavor = "multi_thread")]
async fn only_picture_and_sound_come_out() {
    let stage = Stage::new();
    let clip = "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -f lavfi -i sine=d=1 -c:v libx264 -preset ultrafast -c:a aac \
        -metadata location=+25.0330+121.5654/ -metadata location-eng=+25.0330+121.5654/ -metadata title=HUSHTITLE \
        -metadata:s:v:0 handler_name=HUSHHANDLER -metadata comment=HUSHCOMMENT -movflags use_metadata_tags";
    let mut bytes = std::fs::read(stage.clip("whole.mp4", clip)).unwrap();
    let page = b"<!doctype html><script>HUSHSCRIPT</script>";
    bytes.extend((8 + page.len() as u32).to_be_bytes());
    bytes.extend_from_slice(b"free");
    bytes.extend_from_slice(page);
    bytes.extend_from_slice(b"PK\x03\x04HUSHARCHIVE");
    let hush = [&b"HUSH"[..], b"25.0330", b"121.5654", b"<script"];
    let tells = |bytes: &[u8]| {
        let has = |word: &&[u8]| bytes.windows(word.len()).any(|part| part == *word);
        hush.iter().filter(|word| has(word)).count()
    };
    assert_eq!(tells(&bytes), hush.len());
    let source = stage.file("whole.mp4", &bytes);
    let (probe, plan) = stage.plan(&source).await;
    let (_, mut made) = stage.whole(&source).await;
    made.add(stage.audio(&source, plan.grid, 0).await.unwrap());
    let spec = PosterSpec { source, probe };
    let cancel = CancellationToken::new();
    let poster = stage.transcoder.poster(&spec, &cancel).await.unwrap();
    let out = made.inits.values().chain(made.segments.values());
    assert!(out.clone().count() >= 4);
    assert!(out.clone().all(|bytes| tells(bytes) == 0));
    assert_eq!(tells(&std::fs::read(poster.path()).unwrap()), 0);
}
