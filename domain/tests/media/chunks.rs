//! Chunks and the grid: what is encoded in pieces is what would have been encoded whole.

use std::process::Command;

use millrace_domain::media::{Fps, Rendition, TIMESTAMP_BASE_SECONDS};

use crate::stage::{Made, Stage, slice, spec};

const NTSC: &str =
    "-f lavfi -i testsrc2=s=640x360:r=30000/1001:d=31.3646 -c:v libx264 -preset ultrafast -g 100";

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_an_ntsc_clip_equal_the_grid() {
    let stage = Stage::new();
    let source = stage.clip("ntsc.mp4", NTSC);
    let (probe, plan) = stage.plan(&source).await;
    let grid = plan.grid;
    assert_eq!(
        (grid.fps, grid.frame_count, grid.segment_count()),
        (Fps::new(30_000, 1001), 940, 8)
    );
    assert_eq!(plan.ladder.len(), 2);

    let mut made = Made::default();
    for (chunk, first, segments) in [(0, 0, 2), (1, 2, 3), (2, 5, 3)] {
        let spec = spec(
            &source,
            &probe,
            &grid,
            &plan.ladder,
            slice(&grid, chunk, first, segments),
        );
        let part = stage.chunk(&spec).await.unwrap();
        assert!(
            part.progress
                .windows(2)
                .all(|pair| pair[0].frame <= pair[1].frame)
        );
        assert_eq!(
            part.progress.last().unwrap().frame,
            spec.chunk.first_frame + spec.chunk.frames
        );
        assert!(
            part.early > 0,
            "segments are announced before the chunk is complete"
        );
        // Includes: init segments are the same in every chunk.
        made.add(part);
    }

    for rung in &plan.ladder {
        let init = made.init(rung.rendition);
        assert_eq!(
            (init.width, init.height, init.timescale),
            (rung.width, rung.height, 30_000)
        );
        assert!(init.codecs.starts_with("avc1.6400"), "{}", init.codecs);
        let fragments = made.fragments(rung.rendition);
        assert_eq!(fragments.len(), 8);
        let mut start = fragments[&0].start;
        for (n, fragment) in &fragments {
            let frames = grid.frames_of_segment(*n);
            assert_eq!(
                (fragment.samples, fragment.length),
                (frames, frames * 1001),
                "segment {n}"
            );
            assert_eq!(
                fragment.shown,
                TIMESTAMP_BASE_SECONDS * 30_000 + i64::from(*n) * 120 * 1001
            );
            assert_eq!(fragment.start, start, "segment {n} follows");
            assert!(fragment.starts_with_key, "segment {n}");
            assert!(fragment.keyframe_bytes > 500, "segment {n}");
            start += fragment.length;
        }

        let packets = stage.inspect(
            &made,
            rung.rendition,
            &["-show_entries", "packet=pts,flags"],
        );
        let mut times: Vec<i64> = Vec::new();
        let mut keys: Vec<i64> = Vec::new();
        for packet in &packets {
            let (pts, flags) = packet.split_once(',').unwrap();
            times.push(pts.parse().unwrap());
            if flags.contains('K') {
                keys.push(times[times.len() - 1]);
            }
        }
        times.sort_unstable();
        let on_grid: Vec<i64> = (0..940).map(|k| 300_000 + k * 1001).collect();
        assert_eq!(times, on_grid);
        assert_eq!(
            keys,
            on_grid.iter().step_by(60).copied().collect::<Vec<_>>()
        );
        let frames = stage.inspect(
            &made,
            rung.rendition,
            &["-count_frames", "-show_entries", "stream=nb_read_frames"],
        );
        assert_eq!(frames, ["940"]);
    }

    // Not only the times: frame k shows what the source shows at k, across every boundary.
    let worst = stage.likeness(&made, Rendition::V360, &source);
    assert!(worst > 28.0, "{worst} dB");
    drop(made);
    assert!(stage.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_chunk_continues_where_it_stopped() {
    let stage = Stage::new();
    let source = stage.clip("ntsc.mp4", NTSC);
    let (probe, plan) = stage.plan(&source).await;
    let mut spec = spec(
        &source,
        &probe,
        &plan.grid,
        &plan.ladder,
        slice(&plan.grid, 1, 2, 4),
    );
    let whole = stage.chunk(&spec).await.unwrap();
    spec.from_segment = 4;
    let resumed = stage.chunk(&spec).await.unwrap();
    for rung in &plan.ladder {
        let (whole, resumed) = (
            whole.fragments(rung.rendition),
            resumed.fragments(rung.rendition),
        );
        assert_eq!(resumed.keys().copied().collect::<Vec<_>>(), [4, 5]);
        for (n, fragment) in resumed {
            let before = whole[&n];
            assert_eq!(
                (
                    fragment.start,
                    fragment.shown,
                    fragment.length,
                    fragment.samples
                ),
                (before.start, before.shown, before.length, before.samples)
            );
            assert!(fragment.starts_with_key);
        }
    }
    assert_eq!(whole.inits, resumed.inits);
    spec.from_segment = 6;
    assert!(
        stage.chunk(&spec).await.unwrap().segments.is_empty(),
        "nothing is left to do"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_a_transport_stream_equal_the_grid() {
    // No index, time stamps that start anywhere: the seek is rough, the grid is not.
    let stage = Stage::new();
    let source = stage.clip(
        "pal.ts",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=16.04 -c:v libx264 -preset ultrafast -g 50 -muxdelay 1.3",
    );
    let (probe, plan) = stage.plan(&source).await;
    // 401 frames; the last segment is stretched so that its init segment is no different.
    assert_eq!(plan.grid.frame_count, 403);
    let mut made = Made::default();
    for (chunk, first, segments) in [(0, 0, 2), (1, 2, 2), (2, 4, 1)] {
        let spec = spec(
            &source,
            &probe,
            &plan.grid,
            &plan.ladder,
            slice(&plan.grid, chunk, first, segments),
        );
        made.add(stage.chunk(&spec).await.unwrap());
    }
    for (n, fragment) in made.fragments(Rendition::V240) {
        let shown = (10 + 4 * i64::from(n)) * 25_000;
        let frames = plan.grid.frames_of_segment(n);
        assert_eq!((fragment.samples, fragment.shown), (frames, shown));
        assert_eq!(fragment.start, shown, "decoding starts on the grid, too");
    }
    let worst = stage.likeness(&made, Rendition::V240, &source);
    assert!(worst > 28.0, "{worst} dB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slide_that_stands_across_a_boundary_is_not_lost() {
    // One frame every 5 s; the picture at the second chunk's first frame (8 s) was shown at 5 s.
    let stage = Stage::new();
    let source = stage.clip(
        "slides.mkv",
        "-f lavfi -i color=red:s=160x90:r=1/5:d=5 -f lavfi -i color=blue:s=160x90:r=1/5:d=15 \
         -filter_complex concat=n=2 -c:v libx264 -preset ultrafast -g 1 -fps_mode passthrough",
    );
    let (probe, plan) = stage.plan(&source).await;
    let spec = spec(
        &source,
        &probe,
        &plan.grid,
        &plan.ladder,
        slice(&plan.grid, 1, 2, 1),
    );
    let made = stage.chunk(&spec).await.unwrap();
    let path = stage.file("slide.mp4", &made.whole(Rendition::V240));
    let pixel = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args([
            "-frames:v",
            "1",
            "-vf",
            "scale=1:1",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-",
        ])
        .output()
        .unwrap()
        .stdout;
    assert!(pixel[2] > 150 && pixel[0] < 100, "{pixel:?} is not blue");
}
