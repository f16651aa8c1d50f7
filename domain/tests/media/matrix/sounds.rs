//! Everything that is heard.

use super::{Encoded, Kind, metadata};
use crate::stage::Stage;
use millrace_domain::media::{PosterSpec, Transcoder};
use tokio_util::sync::CancellationToken;

const PICTURE: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=5 -c:v libx264 -preset ultrafast";

fn with_sound(frames: i64) -> Kind<'static> {
    Kind {
        frames: frames..=frames + 1,
        sound: true,
        likeness: None,
        ..Kind::plain(0)
    }
}

fn alone(frames: i64) -> Kind<'static> {
    Kind {
        frames: frames - 3..=frames + 3,
        ladder: &[],
        ..with_sound(0)
    }
}

/// The pitch of a tone, from its zero crossings between two seconds.
fn pitch(stage: &Stage, made: &Encoded, from: usize, to: usize) -> f64 {
    let pcm = made.pcm(stage);
    let part = &pcm[from * 48_000..to * 48_000];
    let rising = part
        .windows(2)
        .filter(|pair| pair[0] < 0 && pair[1] >= 0)
        .count();
    rising as f64 / (to - from) as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_and_rates_become_stereo_at_48_khz() {
    let stage = Stage::new();
    for (name, source, codec) in [
        (
            "surround.mp4",
            "sine=f=440:r=48000:d=5,aformat=channel_layouts=5.1",
            "aac",
        ),
        ("mono.mp4", "sine=f=440:r=44100:d=5", "aac"),
        ("telephone.mkv", "sine=f=440:r=8000:d=5", "pcm_mulaw"),
        ("studio.mkv", "sine=f=440:r=96000:d=5", "flac"),
        (
            "surround.mkv",
            "sine=f=440:r=48000:d=5,aformat=channel_layouts=5.1",
            "ac3",
        ),
        (
            "seven.mkv",
            "sine=f=440:r=48000:d=5,aformat=channel_layouts=7.1",
            "flac",
        ),
    ] {
        let make = format!("-f lavfi -i {source} {PICTURE} -c:a {codec}");
        let made = with_sound(125).holds(&stage, stage.clip(name, &make)).await;
        let heard = pitch(&stage, &made, 1, 4);
        assert!((heard - 440.0).abs() < 3.0, "{name}: {heard} Hz");
        // As loud as it was: a tone of 1/8 in all channels, within 6 dB.
        let peak = made.pcm(&stage)[48_000..]
            .iter()
            .map(|s| s.unsigned_abs())
            .max()
            .unwrap();
        assert!((2000..=8300).contains(&peak), "{name}: {peak}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sounds_the_default_is_chosen() {
    let stage = Stage::new();
    let tone = |f: u32| format!("-f lavfi -i sine=f={f}:r=48000:d=5");
    for (name, marks, hz) in [
        (
            "first.mkv",
            "-disposition:a:0 0 -disposition:a:1 0 -disposition:a:2 0",
            300.0,
        ),
        (
            "second.mkv",
            "-disposition:a:0 0 -disposition:a:1 default -disposition:a:2 0",
            600.0,
        ),
        ("unmarked.mp4", "", 300.0),
    ] {
        let make = format!(
            "{} {} {} -f lavfi -i testsrc2=s=160x90:r=25:d=5 -map 3:v -map 0:a -map 1:a -map 2:a \
             -c:v libx264 -preset ultrafast -c:a aac {marks}",
            tone(300),
            tone(600),
            tone(900)
        );
        let made = with_sound(125).holds(&stage, stage.clip(name, &make)).await;
        let heard = pitch(&stage, &made, 1, 4);
        assert!(
            (heard - hz).abs() < 3.0,
            "{name}: {heard} Hz from sound {}",
            made.sound().index
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_and_picture_of_unequal_length() {
    let stage = Stage::new();
    let made = |picture: u32, sound: u32, delay: u32| {
        format!(
            "-f lavfi -i testsrc2=s=160x90:r=25:d={picture} -itsoffset {delay} -f lavfi -i sine=f=440:r=48000:d={sound} \
             -c:v libx264 -preset ultrafast -c:a aac"
        )
    };
    for (name, picture, sound, delay, frames) in [
        ("picture_longer.mp4", 11, 3, 0, 275),
        ("sound_longer.mp4", 3, 11, 0, 275),
        ("sound_late.mp4", 9, 4, 3, 225),
    ] {
        let source = stage.clip(name, &made(picture, sound, delay));
        let made = with_sound(frames - 1).holds(&stage, source).await;
        let pcm = made.pcm(&stage);
        let loud = |s: &i16| s.unsigned_abs() > 1000;
        let begins = pcm.iter().position(loud).unwrap() as f64 / 48_000.0;
        let ends = pcm.iter().rposition(loud).unwrap() as f64 / 48_000.0;
        // The run-up of the encoder, one frame, is part of what is decoded.
        assert!(
            (begins - f64::from(delay)).abs() < 0.06,
            "{name}: begins at {begins}"
        );
        assert!(
            (ends - f64::from(sound + delay)).abs() < 0.06,
            "{name}: ends at {ends}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_without_a_picture() {
    let stage = Stage::new();
    let tone = "-f lavfi -i sine=f=440:r=44100:d=10";
    for (name, make) in [
        ("song.mp3", format!("{tone} -c:a libmp3lame -b:a 96k")),
        ("vbr.mp3", "-f lavfi -i aevalsrc='if(lt(t,3),0,sin(2*PI*440*t)*random(0))':s=44100:d=10 -c:a libmp3lame -q:a 4 -write_xing 0".to_owned()),
        ("song.m4a", format!("{tone} -c:a aac")),
        ("song.wav", format!("{tone} -c:a pcm_s24le")),
        ("song.flac", format!("{tone} -c:a flac")),
        ("song.ogg", format!("{tone} -c:a libvorbis")),
        ("song.opus", format!("{tone} -c:a libopus")),
        ("song.aac", format!("{tone} -c:a aac -f adts")),
    ] {
        let made = alone(250).holds(&stage, stage.clip(name, &make)).await;
        assert!(made.probe.video.is_none() && !made.probe.cover, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cover_art_is_no_video_but_a_poster() {
    let stage = Stage::new();
    let cover = stage.clip(
        "cover.jpg",
        "-f lavfi -i color=red:s=500x500 -frames:v 1 -update 1",
    );
    let with_cover = |codec: &str| {
        format!(
            "-f lavfi -i sine=d=5 -i {} -map 0:a -map 1:v -c:a {codec} -c:v copy -disposition:v:0 attached_pic",
            cover.display()
        )
    };
    for (name, codec) in [
        ("song.mp3", "libmp3lame"),
        ("song.m4a", "aac"),
        ("song.flac", "flac"),
    ] {
        let made = alone(125)
            .holds(&stage, stage.clip(name, &with_cover(codec)))
            .await;
        assert!(made.probe.cover, "{name}");
        // Red in the middle, the ground at the side.
        assert!(
            poster_luma(&stage, &made, "crop=100:100:590:310").await > 60.0,
            "{name}"
        );
        assert!(
            poster_luma(&stage, &made, "crop=100:100:0:310").await < 45.0,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_is_drawn() {
    let stage = Stage::new();
    // Silence, then noise: the waveform is on the right side.
    let half = stage.clip(
        "half.wav",
        "-f lavfi -i aevalsrc='if(lt(t,5),0,random(0)-0.5)':s=48000:d=10",
    );
    let made = alone(250).holds(&stage, half).await;
    let left = poster_luma(&stage, &made, "crop=400:300:160:200").await;
    let right = poster_luma(&stage, &made, "crop=400:300:700:200").await;
    assert!(left < 45.0 && right > 60.0, "{left} {right}");
    assert!(stage.is_clean() || !made.made.segments.is_empty());
}

/// The mean luma of a part of the poster, which is 1280x720.
async fn poster_luma(stage: &Stage, made: &Encoded, crop: &str) -> f64 {
    let spec = PosterSpec {
        source: made.source.clone(),
        probe: made.probe.clone(),
    };
    let poster = stage
        .transcoder
        .poster(&spec, &CancellationToken::new())
        .await
        .unwrap();
    let whole = metadata(
        poster.path(),
        "-vf",
        "signalstats",
        "lavfi.signalstats.YAVG",
    );
    assert_eq!(whole.len(), 1);
    metadata(
        poster.path(),
        "-vf",
        &format!("{crop},signalstats"),
        "lavfi.signalstats.YAVG",
    )[0]
}
