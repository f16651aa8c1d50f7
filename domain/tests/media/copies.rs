//! Copies of what needs no encoding: which sources are found standard, and what the copies hold.

use std::path::Path;

use millrace_domain::media::{Fast, FastPath, Obstacle, Rendition, Scan, Transcoder};
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

/// Nine seconds of picture with B-frames and a key frame every 2.4 s, and a tone.
const STANDARD: &str = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=9 \
    -f lavfi -i sine=frequency=440:sample_rate=44100:duration=9 \
    -c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 60 -sc_threshold 0 -c:a aac";
const PACKETS: [&str; 4] = [
    "-select_streams",
    "V:0",
    "-show_entries",
    "packet=pts_time,flags",
];
/// The decoded frames, each by its checksum.
const PICTURES: [&str; 5] = ["-map", "0:V:0", "-f", "framemd5", "-"];

/// What headers and packets together say.
async fn fast(stage: &Stage, source: &Path) -> Fast {
    let probe = stage.probe(source).await.unwrap();
    let bytes = std::fs::metadata(source).unwrap().len();
    let fast = Fast::of(&probe, i64::try_from(bytes).unwrap());
    fast.seen(&scan(stage, source).await)
}

async fn scan(stage: &Stage, source: &Path) -> Scan {
    let cancel = CancellationToken::new();
    stage.transcoder.scan(source, &cancel).await.unwrap()
}

fn pictures(path: &Path) -> Vec<String> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args(PICTURES)
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let sums = String::from_utf8(output.stdout).unwrap();
    let frames = sums.lines().filter(|line| !line.starts_with('#'));
    frames
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

#[tokio::test]
async fn segments_of_a_copy_hold_the_sources_frames_in_order() {
    let stage = Stage::new();
    let mp4 = stage.clip("source.mp4", STANDARD);
    let mkv = stage.clip("source.mkv", STANDARD);
    for source in [mp4, mkv] {
        assert_eq!(fast(&stage, &source).await.path, Some(FastPath::Mp4));
        let made = stage.copy(&source, 0).await.unwrap();
        assert!(made.init(Rendition::Source).codecs.starts_with("avc1.64"));

        // As long as was foretold, each beginning with a key frame, one after the other.
        let scan = scan(&stage, &source).await;
        let (_, plan) = stage.plan(&source).await;
        let cuts = scan.cuts(&plan.grid);
        let fragments = made.fragments(Rendition::Source);
        let timescale = f64::from(made.init(Rendition::Source).timescale);
        assert_eq!(fragments.len(), cuts.len());
        assert_eq!(cuts.len(), 2);
        for (cut, (n, fragment)) in cuts.iter().zip(&fragments) {
            assert!(fragment.starts_with_key);
            let seconds = fragment.length as f64 / timescale;
            assert!(
                (seconds - cut.seconds).abs() < 0.002,
                "{n}: {seconds} {cut:?}"
            );
            let size = made.segments[&(Rendition::Source, *n)].len() as i64;
            assert!(
                (size..size * 5 / 4 + 5000).contains(&cut.bytes),
                "{n}: {size} {cut:?}"
            );
        }
        let shown: Vec<f64> = fragments
            .values()
            .map(|fragment| fragment.shown as f64 / timescale)
            .collect();
        assert!((shown[0] - 10.0).abs() < 0.05, "{shown:?}");
        assert!((shown[1] - shown[0] - 4.8).abs() < 0.002, "{shown:?}");

        let copy = stage.file("copy.mp4", &made.whole(Rendition::Source));
        assert_eq!(pictures(&copy), pictures(&source));
        let before = Stage::inspect_file(&source, &PACKETS);
        let after = Stage::inspect_file(&copy, &PACKETS);
        assert_eq!(before.len(), after.len());
        let keys = |packets: &[String]| packets.iter().filter(|p| p.contains('K')).count();
        assert_eq!(keys(&before), keys(&after));
    }
    assert!(stage.is_clean());
}

#[tokio::test]
async fn a_resumed_copy_makes_the_same_segments() {
    let stage = Stage::new();
    let source = stage.clip("source.mp4", STANDARD);
    let first = stage.copy(&source, 0).await.unwrap();
    let second = stage.copy(&source, 1).await.unwrap();
    assert_eq!(second.inits, first.inits);
    let at = (Rendition::Source, 1);
    assert_eq!(second.segments.keys().collect::<Vec<_>>(), [&at]);
    assert_eq!(second.segments[&at], first.segments[&at]);
}

#[tokio::test]
async fn a_file_is_copied_with_its_index_first_and_nothing_else_in_it() {
    let stage = Stage::new();
    let more = "-metadata title=secret -metadata location=+25.0330+121.5654/ -metadata:s:v handler_name=mine";
    for name in ["source.mp4", "source.mkv"] {
        let source = stage.clip(name, &format!("{STANDARD} {more}"));
        let spec = stage.copy_spec(&source, 0).await;
        let copy = stage
            .transcoder
            .copy_file(&spec, &CancellationToken::new())
            .await
            .unwrap();
        let bytes = std::fs::read(copy.path()).unwrap();
        let find = |what: &[u8]| bytes.windows(what.len()).position(|at| at == what);
        assert!(find(b"moov").unwrap() < find(b"mdat").unwrap());
        for word in [b"secret".as_slice(), b"121.5654", b"handler_name", b"mine"] {
            assert_eq!(find(word), None, "{}", String::from_utf8_lossy(word));
        }
        assert_eq!(pictures(copy.path()), pictures(&source));
        let streams = Stage::inspect_file(copy.path(), &["-show_entries", "stream=codec_name"]);
        assert_eq!(streams, ["h264", "aac"]);
    }
    assert!(stage.is_clean());
}

#[tokio::test]
async fn open_and_long_gops_are_found_in_the_packets() {
    let stage = Stage::with_preset("ultrafast");
    let picture = "-f lavfi -i testsrc2=size=160x90:rate=25:duration";
    let open = "-c:v libx264 -pix_fmt yuv420p -bf 3 -g 50 -sc_threshold 0 -flags -cgop";
    for (name, args, obstacle) in [
        ("open.mp4", format!("{picture}=8 {open}"), Obstacle::OpenGop),
        ("open.mkv", format!("{picture}=8 {open}"), Obstacle::OpenGop),
        (
            "long.mp4",
            format!("{picture}=25 -c:v libx264 -pix_fmt yuv420p -g 1000 -sc_threshold 0"),
            Obstacle::LongGop,
        ),
    ] {
        let source = stage.clip(name, &args);
        let found = fast(&stage, &source).await;
        assert_eq!(
            (found.path, found.obstacle),
            (None, Some(obstacle)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_edit_list_that_hides_or_delays_frames_is_found() {
    let stage = Stage::new();
    let whole = stage.clip("whole.mp4", STANDARD);
    // Phones trim so: the copy begins at the key frame before, and an edit list hides what is too early.
    let trimmed = stage.clip(
        "trimmed.mp4",
        &format!("-ss 3.5 -i {} -c copy", whole.display()),
    );
    let found = fast(&stage, &trimmed).await;
    assert_eq!(found.path, None);
    assert!(
        matches!(found.obstacle, Some(Obstacle::Edited | Obstacle::LateStart)),
        "{found:?}"
    );
    let late = stage.clip(
        "late.mp4",
        &format!(
            "-itsoffset 0.5 -i {0} -i {0} -map 0:v -map 1:a -c copy",
            whole.display()
        ),
    );
    let found = fast(&stage, &late).await;
    assert_eq!(
        (found.path, found.obstacle),
        (None, Some(Obstacle::LateStart))
    );
}

#[tokio::test]
async fn unusual_pictures_are_found_in_the_headers() {
    let stage = Stage::with_preset("ultrafast");
    let picture = "-f lavfi -i testsrc2=size=160x90:rate=25:duration=1";
    for (name, args, obstacle) in [
        (
            "hevc.mp4",
            "-c:v libx265 -x265-params log-level=none",
            Obstacle::Codec,
        ),
        (
            "ten.mp4",
            "-c:v libx264 -pix_fmt yuv420p10le",
            Obstacle::Profile,
        ),
        (
            "lossless.mp4",
            "-c:v libx264 -pix_fmt yuv420p -qp 0",
            Obstacle::Profile,
        ),
        (
            "sar.mp4",
            "-c:v libx264 -pix_fmt yuv420p -vf setsar=4/3",
            Obstacle::Anamorphic,
        ),
        (
            "fields.mp4",
            "-c:v libx264 -pix_fmt yuv420p -vf scale=160:96,setfield=tff -flags +ilme+ildct -x264-params tff=1",
            Obstacle::Interlaced,
        ),
        (
            "stream.ts",
            "-c:v libx264 -pix_fmt yuv420p",
            Obstacle::Container,
        ),
        (
            "fast.mp4",
            "-c:v libx264 -pix_fmt yuv420p -r 120",
            Obstacle::TooFast,
        ),
    ] {
        let source = stage.clip(name, &format!("{picture} {args}"));
        let probe = stage.probe(&source).await.unwrap();
        assert_eq!(Fast::of(&probe, 1000).obstacle, Some(obstacle), "{name}");
    }
}
