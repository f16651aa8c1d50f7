//! The rules notice: each presentation here breaks one of them.

use std::collections::HashMap;

use millrace_domain::media::playlist::rules;

use super::{Kind, published};
use crate::stage::Stage;

type Files = HashMap<String, Vec<u8>>;

/// Replaces text in a playlist; it must be there.
fn edit(files: &mut Files, path: &str, from: &str, to: &str) {
    let text = String::from_utf8(files[path].clone()).unwrap();
    assert!(text.contains(from), "{path} has no {from}: {text}");
    files.insert(path.into(), text.replace(from, to).into_bytes());
}

/// The value of an attribute that stands first in a playlist.
fn first(files: &Files, path: &str, name: &str) -> String {
    let text = String::from_utf8(files[path].clone()).unwrap();
    let after = text.split_once(name).unwrap().1;
    let end = after.find([',', '\n']).unwrap();
    format!("{name}{}", &after[..end])
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_rules_are_noticed() {
    let stage = Stage::new();
    let make = "-f lavfi -i testsrc2=s=640x360:r=25:d=9 -f lavfi -i sine=d=9 -c:v libx264 -preset ultrafast -c:a aac";
    let kind = Kind {
        ladder: &[(640, 360), (426, 240)],
        frames: 225..=226,
        sound: true,
        likeness: None,
        ..Kind::plain(225)
    };
    let made = kind.holds(&stage, stage.clip("whole.mp4", make)).await;
    let whole = published(&made.plan, &made.made);
    type Break = fn(&mut Files);
    let breaks: [(&str, Break); 14] = [
        ("BANDWIDTH", |f| {
            let said = first(f, "master.m3u8", "INF:BANDWIDTH=");
            edit(f, "master.m3u8", &said, "INF:BANDWIDTH=9000000");
        }),
        ("AVERAGE-BANDWIDTH", |f| {
            let said = first(f, "master.m3u8", ",AVERAGE-BANDWIDTH=");
            edit(f, "master.m3u8", &said, "");
        }),
        ("RESOLUTION", |f| {
            edit(f, "master.m3u8", "640x360", "640x362");
        }),
        ("FRAME-RATE", |f| {
            edit(f, "master.m3u8", "FRAME-RATE=25.000", "FRAME-RATE=30.000");
        }),
        ("CODECS", |f| {
            edit(f, "master.m3u8", "mp4a.40.2", "mp4a.40.5");
        }),
        ("VIDEO-RANGE", |f| {
            edit(f, "master.m3u8", "VIDEO-RANGE=SDR,CL", "CL");
        }),
        ("I-frame playlist", |f| {
            edit(
                f,
                "master.m3u8",
                "#EXT-X-I-FRAME-STREAM-INF",
                "#EXT-X-NOTHING",
            );
        }),
        ("target duration", |f| {
            edit(f, "audio.m3u8", "TARGETDURATION:4", "TARGETDURATION:5");
        }),
        ("EXT-X-ENDLIST", |f| {
            edit(f, "v240.m3u8", "#EXT-X-ENDLIST\n", "");
        }),
        ("EXTINF says", |f| {
            edit(f, "v240.m3u8", "EXTINF:1.0", "EXTINF:1.5");
        }),
        ("not one IDR picture", |f| {
            let said = first(f, "v360-iframes.m3u8", "#EXT-X-BYTERANGE:");
            edit(f, "v360-iframes.m3u8", &said, "#EXT-X-BYTERANGE:2000@0");
        }),
        ("the one before ends", |f| {
            edit(f, "v240.m3u8", "s/v240/1.m4s", "s/v240/0.m4s");
        }),
        ("cannot be fetched", |f| {
            edit(f, "audio.m3u8", "s/audio/1.m4s", "s/audio/9.m4s");
        }),
        ("no media segment", |f| {
            f.insert("s/v240/1.m4s".into(), vec![0; 100]);
        }),
    ];
    for (notice, break_it) in breaks {
        let mut files = whole.clone();
        break_it(&mut files);
        let report = rules::examine("http://media/master.m3u8", async |url: &str| {
            let path = url.strip_prefix("http://media/").unwrap_or(url);
            files.get(path).cloned().ok_or("there is no such file")
        })
        .await;
        assert!(
            report.complaint().contains(notice),
            "{notice}: {}",
            report.complaint()
        );
    }
}
