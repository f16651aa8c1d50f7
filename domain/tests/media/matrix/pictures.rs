//! Sizes, turns, fields and colours.

use super::{Kind, metadata};
use crate::stage::Stage;

const FAST: &str = "-c:v libx264 -preset ultrafast";

/// A clip of 9 s, three segments in two chunks.
fn drawn(size: &str, more: &str) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r=25:d=9 {more}")
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_by_every_quarter() {
    let stage = Stage::new();
    let flat = stage.clip("flat.mp4", &drawn("320x180", FAST));
    let flat = flat.to_string_lossy();
    for (turn, sizes) in [("90", (180, 320)), ("180", (320, 180)), ("270", (180, 320))] {
        let turned = format!("-i {flat} -c copy -metadata:s:v:0 rotate={turn}");
        let source = stage.clip(&format!("turned{turn}.mp4"), &turned);
        let kind = Kind {
            ladder: &[sizes],
            ..Kind::plain(225)
        };
        // ffmpeg turns the source that it is compared with.
        let made = kind.holds(&stage, source).await;
        let rotation = made.probe.video.unwrap().rotation.to_string();
        assert!(
            [
                turn.to_owned(),
                (360 - turn.parse::<i32>().unwrap()).to_string()
            ]
            .contains(&rotation)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vertical_and_odd_and_tiny() {
    let stage = Stage::new();
    for (name, size, more, ladder) in [
        ("vertical.mp4", "360x640", "", &[(360, 640), (240, 426)][..]),
        (
            "odd.mp4",
            "639x361",
            "-pix_fmt yuv444p",
            &[(638, 360), (424, 240)],
        ),
        ("tiny.mp4", "18x12", "", &[(18, 12)]),
        ("wide.mp4", "640x64", "", &[(640, 64)]),
    ] {
        let source = stage.clip(name, &drawn(size, &format!("{FAST} {more}")));
        let kind = Kind {
            ladder,
            likeness: Some(25.0),
            ..Kind::plain(225)
        };
        kind.holds(&stage, source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_that_are_not_square() {
    let stage = Stage::new();
    // A wide DVD picture, and one that is narrower than it is stored.
    for (name, size, aspect, ladder) in [
        ("wide.mp4", "360x288", "64/45", &[(426, 240)][..]),
        ("narrow.mp4", "480x240", "3/4", &[(360, 240)]),
    ] {
        let more = format!("-vf setsar={aspect} {FAST}");
        let source = stage.clip(name, &drawn(size, &more));
        let kind = Kind {
            ladder,
            ..Kind::plain(225)
        };
        kind.holds(&stage, source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_either_order() {
    let stage = Stage::new();
    // Upright bars that move eight pixels from field to field.
    let bars = "geq=lum='if(lt(mod(X+N*8,64),32),235,16)':cb=128:cr=128";
    for (name, weave, codec) in [
        (
            "tff.mp4",
            "tinterlace=interleave_top,fieldorder=tff",
            "-c:v libx264 -preset ultrafast -flags +ilme+ildct -x264-params tff=1",
        ),
        (
            "bff.mp4",
            "tinterlace=interleave_bottom,fieldorder=bff",
            "-c:v libx264 -preset ultrafast -flags +ilme+ildct -x264-params bff=1",
        ),
        (
            "tff.mpg",
            "tinterlace=interleave_top,fieldorder=tff",
            "-c:v mpeg2video -q:v 2 -flags +ilme+ildct",
        ),
    ] {
        let make = format!(
            "-f lavfi -i nullsrc=s=160x120:r=50:d=9,{bars} -vf {weave} {codec} -pix_fmt yuv420p"
        );
        let source = stage.clip(name, &make);
        // Program streams do not state their length, and the last packet holds frames without times: up to three are
        // taken for the end.
        let least = if name == "tff.mpg" { 222 } else { 225 };
        let kind = Kind {
            frames: least..=225,
            ladder: &[(160, 120)],
            likeness: None,
            ..Kind::plain(225)
        };
        let made = kind.holds(&stage, source).await;
        assert!(made.probe.video.as_ref().unwrap().interlaced, "{name}");
        // No combs: odd and even lines show the same bars, where they were eight pixels apart.
        let fields = "split[a][b];[a]field=top[t];[b]field=bottom[u];[t][u]psnr";
        let alike = made.metadata(&stage, fields, "lavfi.psnr.psnr_avg");
        assert_eq!(alike.len() as i64, made.plan.grid.frame_count, "{name}");
        assert!(alike.iter().all(|db| *db > 25.0), "{name}: {alike:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn light_beyond_the_standard_range() {
    let stage = Stage::new();
    // The test picture as a camera for each curve would have recorded it.
    let source = "testsrc2=s=320x180:r=25:d=9";
    let plain = stage.clip("plain.mkv", &format!("-f lavfi -i {source} -t 1 -vf scale=in_color_matrix=bt601:out_color_matrix=bt709 -c:v ffv1"));
    let luma = metadata(&plain, "-vf", "signalstats", "lavfi.signalstats.YAVG")[0];
    for (name, transfer) in [("pq.mp4", "smpte2084"), ("hlg.mp4", "arib-std-b67")] {
        let graph = format!(
            "format=yuv420p,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,\
             zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=2020:npl=203,\
             zscale=t={transfer}:m=2020_ncl:r=tv:npl=203,format=yuv420p10le"
        );
        let make = format!(
            "-f lavfi -i {source} -vf {graph} -c:v libx265 -preset ultrafast -x265-params log-level=error \
             -color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc -tag:v hvc1"
        );
        let made = Kind {
            ladder: &[(320, 180)],
            likeness: None,
            ..Kind::plain(225)
        };
        let made = made.holds(&stage, stage.clip(name, &make)).await;
        assert!(made.probe.video.as_ref().unwrap().hdr, "{name}");
        let mapped = made.metadata(&stage, "signalstats", "lavfi.signalstats.YAVG")[0];
        assert!(
            (mapped - luma).abs() < 35.0,
            "{name}: {mapped}, it was {luma}"
        );
        // Washed out is what it looks like when the curve is taken for a standard one: no deep black, little colour.
        let black = made.metadata(&stage, "signalstats", "lavfi.signalstats.YMIN")[0];
        let colour = made.metadata(&stage, "signalstats", "lavfi.signalstats.SATMAX")[0];
        assert!(
            black < 40.0 && colour > 60.0,
            "{name}: black {black}, colour {colour}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_that_are_stated_or_not_come_out_the_same() {
    let stage = Stage::new();
    // Red as three files code it: full range, BT.601 that says so, RGB without any matrix.
    for (name, more) in [
        (
            "full.mp4",
            "-vf scale=out_range=pc:out_color_matrix=bt601 -pix_fmt yuvj420p -colorspace bt470bg",
        ),
        (
            "said.mp4",
            "-vf scale=out_color_matrix=bt601 -pix_fmt yuv420p -colorspace smpte170m",
        ),
        (
            "plain.mp4",
            "-vf scale=out_color_matrix=bt601 -pix_fmt yuv420p",
        ),
        (
            "hd.mp4",
            "-vf scale=1280:48:out_color_matrix=bt709 -pix_fmt yuv420p",
        ),
    ] {
        let make = format!("-f lavfi -i color=red:s=64x48:r=25:d=1,format=rgb24 {more} {FAST}");
        let ladder = if name == "hd.mp4" {
            &[(1280, 48)][..]
        } else {
            &[(64, 48)]
        };
        let kind = Kind {
            ladder,
            likeness: None,
            ..Kind::plain(25)
        };
        let made = kind.holds(&stage, stage.clip(name, &make)).await;
        let of = |key: &str| made.metadata(&stage, "signalstats", key)[0];
        let (y, u, v) = (
            of("lavfi.signalstats.YAVG"),
            of("lavfi.signalstats.UAVG"),
            of("lavfi.signalstats.VAVG"),
        );
        // Red in BT.709: 63, 102, 240.
        let off = (y - 63.0)
            .abs()
            .max((u - 102.0).abs())
            .max((v - 240.0).abs());
        assert!(off < 4.0, "{name}: {y} {u} {v}");
    }
}
