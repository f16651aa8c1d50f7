//! What stands for sound without a picture: its cover art, or else its waveform, on a dark ground of 1280x720.

/// Samples that the filter of the waveform may hold at once: 32 MB, however long the sound is.
const MOST_SAMPLES: f64 = 8_000_000.0;
/// Enough for an honest outline of anything.
const SAMPLE_RATE: f64 = 8000.0;
/// The ground, and what is drawn on it; they go with light pages and dark ones.
const DARK: &str = "0x181b22";
const LIGHT: &str = "0xdfe4ee";

/// The graph from sound number `track` to a picture of its waveform: 128 bars, five pixels wide and three apart.
pub(super) fn waveform(track: i32, seconds: f64) -> String {
    let rate = (MOST_SAMPLES / seconds.max(1.0)).clamp(50.0, SAMPLE_RATE) as i64;
    let mut sound =
        format!("aresample={SAMPLE_RATE},aformat=sample_fmts=fltp:channel_layouts=mono");
    if (rate as f64) < SAMPLE_RATE {
        // Its envelope survives a low rate; the sound itself would lose all but its bass.
        sound.push_str(&format!(",aeval=abs(val(0)):c=same,aresample={rate}"));
    }
    format!(
        "[0:a:{track}]{sound},showwavespic=s=128x440:scale=lin:filter=peak:colors={LIGHT},\
         scale=1024:440:flags=neighbor[wave];\
         color=c={DARK}:s=1280x720,format=rgba,drawbox=x=128:y=359:w=1024:h=2:c={LIGHT}:t=fill[ground];\
         [ground][wave]overlay=128:140:format=auto,drawgrid=w=8:h=2000:t=3:c={DARK},trim=end_frame=1,{JPEG}[picture]"
    )
}

/// The graph from cover art to a picture of it in the middle.
pub(super) fn cover() -> String {
    format!(
        "[0:v:0]scale=1280:720:force_original_aspect_ratio=decrease:force_divisible_by=2,setsar=1,format=rgb24,\
         pad=1280:720:(ow-iw)/2:(oh-ih)/2:color={DARK},trim=end_frame=1,{JPEG}[picture]"
    )
}

/// Colours as JPEG has them.
const JPEG: &str = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_sound_is_held_as_its_envelope() {
        assert!(!waveform(0, 60.0).contains("aeval"));
        assert!(waveform(1, 86_400.0).starts_with(
            "[0:a:1]aresample=8000,aformat=sample_fmts=fltp:channel_layouts=mono,aeval=abs(val(0)):c=same,aresample=92,"
        ));
    }
}
