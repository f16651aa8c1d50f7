//! Files that point elsewhere: what they point at is never opened, and nobody is called.
//!
//! The bait is a pipe without a writer, in a place that ffmpeg can reach even inside its sandbox: whoever opens it waits for
//! ever, and the test with it. So a probe that ends has not opened it.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    net::{TcpListener, UdpSocket},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use futures::{StreamExt as _, stream};
use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::stage::Stage;

/// A stage whose ffmpeg lies beside the bait, so that it sees it: a program's folder is part of its sandbox.
struct Trap {
    stage: Stage,
    bait: PathBuf,
    tcp: TcpListener,
    udp: UdpSocket,
}

impl Trap {
    fn new() -> Self {
        let stage = Stage::with(|options, dir| {
            let bin = dir.join("bin");
            fs::create_dir(&bin).unwrap();
            fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
            for program in ["ffmpeg", "ffprobe"] {
                symlink(Path::new("/usr/bin").join(program), bin.join(program)).unwrap();
            }
            options.ffmpeg = bin.join("ffmpeg");
            options.ffprobe = bin.join("ffprobe");
        });
        let bait = stage.dir.path().join("bin/bait.ts");
        mkfifo(&bait, Mode::empty()).unwrap();
        fs::set_permissions(&bait, fs::Permissions::from_mode(0o666)).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        Self {
            stage,
            bait,
            tcp,
            udp,
        }
    }

    /// Where the lures lead: the bait, and addresses that listen.
    fn targets(&self) -> Vec<String> {
        let bait = self.bait.display();
        let tcp = self.tcp.local_addr().unwrap();
        let udp = self.udp.local_addr().unwrap();
        vec![
            bait.to_string(),
            format!("file:{bait}"),
            format!("file://{bait}"),
            "bin/bait.ts".to_owned(),
            format!("concat:{bait}|{bait}"),
            format!("subfile,,start,0,end,0,,:{bait}"),
            format!("crypto:{bait}"),
            format!("http://{tcp}/bait.ts"),
            format!("hls+http://{tcp}/bait.m3u8"),
            format!("tcp://{tcp}"),
            format!("rtmp://{tcp}/live/bait"),
            format!("rtsp://{tcp}/bait"),
            format!("udp://{udp}"),
            format!("rtp://{udp}"),
        ]
    }

    fn is_untouched(&self) {
        let call = self.tcp.accept().map(|_| ());
        assert_eq!(call.unwrap_err().kind(), ErrorKind::WouldBlock);
        let packet = self.udp.recv(&mut [0; 16]);
        assert_eq!(packet.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(self.stage.is_clean(), "{:?}", self.stage.processes());
    }
}

/// Every way of pointing that we know of, each under a name that promises a video.
fn lures(target: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "playlist",
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"),
        ),
        (
            "master",
            format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{target}\n"),
        ),
        (
            "init",
            format!(
                "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:9\n#EXT-X-MAP:URI=\"{target}\"\n#EXTINF:9,\n{target}\n"
            ),
        ),
        (
            "key",
            format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI=\"{target}\"\n#EXTINF:9,\n{target}\n"
            ),
        ),
        ("concat", format!("ffconcat version 1.0\nfile '{target}'\n")),
        (
            "dash",
            format!(
                "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
                 mediaPresentationDuration=\"PT9S\" profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period>\
                 <AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"1\"><BaseURL>{target}\
                 </BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>"
            ),
        ),
        (
            "session",
            format!(
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns={target}\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=video 9 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            ),
        ),
        ("reference", format!("[Reference]\r\nRef1={target}\r\n")),
        ("text", format!("RTSPtext\r\n{target}\r\n")),
        ("links", format!("{target}\n{target}\n")),
        ("metadata", format!(";FFMETADATA1\nfile={target}\n")),
        (
            "index",
            format!(
                "# VobSub index file, v7 (do not modify this line!)\n# {target}\nid: en, index: 0\n"
            ),
        ),
        (
            "subtitles",
            format!("1\n00:00:00,000 --> 00:00:09,000\n<font face=\"{target}\">{target}</font>\n"),
        ),
        (
            "picture",
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\">\
                 <image xlink:href=\"{target}\"/></svg>"
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_and_playlists_lead_nowhere() {
    let trap = Trap::new();
    let targets = trap.targets();
    let all = targets.iter().flat_map(|target| lures(target)).enumerate();
    let tries = all.map(async |(n, (name, text))| {
        let path = trap.stage.file(&format!("lure{n}.mp4"), text.as_bytes());
        let error = trap.stage.probe(&path).await.unwrap_err();
        let refused = ["unsupported_format", "not_media"].contains(&error.code());
        assert!(refused, "{name}: {text}: {error}");
    });
    let tried = stream::iter(tries).buffer_unordered(4).count().await;
    assert_eq!(tried, 14 * 14);
    trap.is_untouched();
}

/// The lures are good ones: a reader without guards takes the bait.
#[tokio::test(flavor = "multi_thread")]
async fn a_careless_reader_takes_the_bait() {
    let trap = Trap::new();
    let file = format!("file:{}", trap.bait.display());
    for (name, format) in [("playlist", "hls"), ("concat", "concat")] {
        let text = lures(&file)
            .into_iter()
            .find(|(n, _)| *n == name)
            .unwrap()
            .1;
        let path = trap.stage.file("lure.mp4", text.as_bytes());
        let bait = trap.bait.clone();
        // Opening for writing waits for a reader.
        let taken = std::thread::spawn(move || {
            fs::File::options()
                .write(true)
                .open(bait)
                .map(|mut f| f.write(b"x"))
        });
        let mut careless = Command::new("ffprobe");
        careless.args(["-v", "quiet", "-f", format]);
        if format == "concat" {
            careless.args(["-safe", "0"]);
        }
        careless.arg(&path).status().unwrap();
        assert!(taken.join().unwrap().is_ok(), "{name}");
    }
}

/// Valid videos with something inside that points elsewhere are either played without it, or refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_in_a_video_leads_nowhere() {
    let trap = Trap::new();
    let clip =
        "-f lavfi -i testsrc2=s=160x90:r=10:d=1 -f lavfi -i sine=d=1 -c:v mpeg4 -c:a pcm_s16le";
    let avi = fs::read(trap.stage.clip("good.avi", clip)).unwrap();
    let mov = fs::read(trap.stage.clip("good.mov", clip)).unwrap();
    let kinds = ["/", "file://", "http:", "udp:"];
    let targets = trap.targets().into_iter();
    for target in targets.filter(|target| kinds.iter().any(|kind| target.starts_with(kind))) {
        let mut hidden: Vec<(&str, Vec<u8>)> = Vec::new();
        for (name, text) in lures(&target) {
            if let Some(avi) = avi_with_subtitles(&avi, text.as_bytes()) {
                hidden.push((name, avi));
            }
        }
        assert!(hidden.len() > 10);
        // One of each kind is enough where the container does the same with all of them.
        hidden.truncate(if target.starts_with('/') {
            usize::MAX
        } else {
            1
        });
        hidden.push(("external data", mov_with_external_data(&mov, &target)));
        for (name, bytes) in hidden {
            let path = trap.stage.file("hidden.mp4", &bytes);
            match trap.stage.probe(&path).await {
                Ok(_) => {
                    let (plan, made) = trap.stage.whole(&path).await;
                    assert_eq!(made.fragments(plan.ladder[0].rendition).len(), 1, "{name}");
                }
                Err(error) => assert!(error.is_permanent(), "{name} to {target}: {error}"),
            }
        }
    }
    trap.is_untouched();
}

/// Turns the sound of an AVI file into subtitles of the kind that hold a whole file of their own.
fn avi_with_subtitles(avi: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = avi.to_vec();
    let header = position(&bytes, b"auds", 0)?;
    bytes[header..header + 4].copy_from_slice(b"txts");
    let mut chunk = position(&bytes, b"movi", 0)?;
    let mut payload = b"GAB2\0\x02\0\x02\0\0\0x\0\x04\0".to_vec();
    payload.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
    payload.extend(text);
    while let Some(at) = position(&bytes, b"01wb", chunk) {
        bytes[at..at + 4].copy_from_slice(b"01tx");
        let size = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().ok()?) as usize;
        if let Some(room) = bytes.get_mut(at + 8..at + 8 + size.min(payload.len()))
            && size >= payload.len()
        {
            room.copy_from_slice(&payload);
        }
        chunk = at + 4;
    }
    Some(bytes)
}

/// Says that the data of a QuickTime file lie in another file, as a Macintosh alias does.
fn mov_with_external_data(mov: &[u8], target: &str) -> Vec<u8> {
    let mut alias = vec![0; 10];
    alias.push(4);
    alias.extend(padded(b"Disk", 27));
    alias.extend([0; 12]);
    let name = target.as_bytes();
    alias.push(name.len().min(63) as u8);
    alias.extend(padded(name, 63));
    alias.extend([0; 16 + 2 + 2 + 16]);
    for (kind, text) in [(0_u16, "bin"), (2, target), (18, target)] {
        alias.extend(kind.to_be_bytes());
        alias.extend((text.len() as u16).to_be_bytes());
        alias.extend(padded(text.as_bytes(), text.len().next_multiple_of(2)));
    }
    alias.extend(0xffff_u16.to_be_bytes());
    alias.extend([0; 2]);

    let mut bytes = mov.to_vec();
    let mut from = 0;
    while let Some(dref) = position(&bytes, b"dref", from) {
        let entry = dref + 12;
        let old = be(&bytes, entry);
        let mut new = (12 + alias.len() as u32).to_be_bytes().to_vec();
        new.extend(b"alis\0\0\0\0");
        new.extend(&alias);
        let grown = new.len() as u32 - old;
        bytes.splice(entry..entry + old as usize, new);
        for parent in [b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"] {
            let at = bytes[..dref + 4]
                .windows(4)
                .rposition(|w| w == parent)
                .unwrap()
                - 4;
            let size = be(&bytes, at) + grown;
            bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
        }
        from = dref + 4;
    }
    assert!(from > 0, "the clip has tracks");
    bytes
}

fn padded(text: &[u8], length: usize) -> Vec<u8> {
    let mut padded = text.to_vec();
    padded.resize(length, 0);
    padded
}

fn be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn position(bytes: &[u8], pattern: &[u8], from: usize) -> Option<usize> {
    let found = bytes[from..]
        .windows(pattern.len())
        .position(|w| w == pattern);
    found.map(|at| from + at)
}
