//! The qualities that are made of a source, named by their short side. Never above the source, always even.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::grid::Fps;

/// Bits a second of the audio rendition.
pub const AUDIO_BITRATE: i32 = 128_000;

/// Short side, CRF, maximal bit rate. The buffer is one and a half times the rate.
const RUNGS: [(Rendition, i32, i32, i32); 5] = [
    (Rendition::V1080, 1080, 22, 6_500_000),
    (Rendition::V720, 720, 22, 3_500_000),
    (Rendition::V480, 480, 23, 1_500_000),
    (Rendition::V360, 360, 24, 800_000),
    (Rendition::V240, 240, 25, 350_000),
];

/// The name of a rendition, as rows, keys and URLs spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rendition {
    /// 1080 lines.
    V1080,
    /// 720 lines.
    V720,
    /// 480 lines.
    V480,
    /// 360 lines.
    V360,
    /// 240 lines, or fewer.
    V240,
    /// The sound, shared by all of them.
    Audio,
    /// The source's own picture, copied: it plays while the others are encoded, and is no part of the ladder.
    Source,
}

impl Rendition {
    /// As rows, keys and URLs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1080 => "v1080",
            Self::V720 => "v720",
            Self::V480 => "v480",
            Self::V360 => "v360",
            Self::V240 => "v240",
            Self::Audio => "audio",
            Self::Source => "source",
        }
    }

    /// It has a picture.
    pub fn is_video(self) -> bool {
        self != Self::Audio
    }
}

impl fmt::Display for Rendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such rendition.
#[derive(Debug, thiserror::Error)]
#[error("there is no rendition {0:?}")]
pub struct UnknownRendition(String);

impl FromStr for Rendition {
    type Err = UnknownRendition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::V1080,
            Self::V720,
            Self::V480,
            Self::V360,
            Self::V240,
            Self::Audio,
            Self::Source,
        ]
        .into_iter()
        .find(|rendition| rendition.as_str() == text)
        .ok_or_else(|| UnknownRendition(text.to_owned()))
    }
}

/// One quality of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Its name.
    pub rendition: Rendition,
    /// Pixels, even.
    pub width: i32,
    /// Pixels, even.
    pub height: i32,
    /// x264's constant rate factor.
    pub crf: i32,
    /// Bits a second that the encoder may not exceed over its buffer.
    pub max_bitrate: i32,
}

impl Rung {
    /// The encoder's buffer in bits.
    pub fn buffer_size(&self) -> i32 {
        self.max_bitrate / 2 * 3
    }

    /// The same quality for a faster picture. Above 30 frames a second it takes half as much again: what YouTube
    /// recommends for 48 to 60 frames a second over 24 to 30, at every size (12 to 8 Mbit/s at 1080 lines).
    pub fn for_rate(self, fps: Fps) -> Self {
        let fast = fps.num > fps.den.saturating_mul(30);
        let max_bitrate = if fast {
            self.max_bitrate / 2 * 3
        } else {
            self.max_bitrate
        };
        Self {
            max_bitrate,
            ..self
        }
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> i64 {
        i64::from(self.width) * i64::from(self.height)
    }
}

/// The qualities of a source shown at `width` x `height`, best first; at least one.
///
/// A source that is just short of a rung (1920x1040) gets that rung at its own size, and one below the smallest rung
/// gets a single quality at its own size: nothing is scaled up, and little is thrown away.
pub fn ladder(width: i32, height: i32) -> Vec<Rung> {
    let short = width.min(height).max(1);
    let mut rungs: Vec<Rung> = Vec::with_capacity(RUNGS.len());
    for (rendition, side, crf, max_bitrate) in RUNGS {
        let nearly = rungs.is_empty() && f64::from(short) >= 0.9 * f64::from(side);
        if short >= side || nearly {
            let (width, height) = scaled(width, height, side.min(short));
            rungs.push(Rung {
                rendition,
                width,
                height,
                crf,
                max_bitrate,
            });
        }
    }
    if rungs.is_empty() {
        let (rendition, _, crf, max_bitrate) = RUNGS[RUNGS.len() - 1];
        let (width, height) = scaled(width, height, short);
        rungs.push(Rung {
            rendition,
            width,
            height,
            crf,
            max_bitrate,
        });
    }
    rungs
}

/// `width` x `height` with the short side brought to `side`, both rounded down to even numbers.
fn scaled(width: i32, height: i32, side: i32) -> (i32, i32) {
    let short = i64::from(width.min(height).max(1));
    let even = |length: i32| {
        let exact = i64::from(length.max(1)) * i64::from(side) / short;
        i32::try_from(exact).unwrap_or(i32::MAX).max(2) & !1
    };
    (even(width), even(height))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(width: i32, height: i32) -> Vec<(&'static str, i32, i32)> {
        ladder(width, height)
            .iter()
            .map(|r| (r.rendition.as_str(), r.width, r.height))
            .collect()
    }

    #[test]
    fn rungs_go_by_the_short_side() {
        assert_eq!(
            sizes(1920, 1080),
            [
                ("v1080", 1920, 1080),
                ("v720", 1280, 720),
                ("v480", 852, 480),
                ("v360", 640, 360),
                ("v240", 426, 240)
            ]
        );
        assert_eq!(
            sizes(480, 854),
            [("v480", 480, 854), ("v360", 360, 640), ("v240", 240, 426)]
        );
        assert_eq!(sizes(1920, 1040)[0], ("v1080", 1920, 1040));
        assert_eq!(sizes(1920, 800)[0], ("v720", 1728, 720));
    }

    #[test]
    fn small_and_odd_sources_keep_their_size() {
        assert_eq!(sizes(161, 91), [("v240", 160, 90)]);
        assert_eq!(sizes(1, 1), [("v240", 2, 2)]);
        assert_eq!(sizes(641, 361)[0], ("v360", 638, 360));
    }

    #[test]
    fn fast_pictures_get_half_as_much_again() {
        let rung = ladder(1920, 1080)[0];
        let rate = |num, den| rung.for_rate(Fps::new(num, den)).max_bitrate;
        assert_eq!((rate(30, 1), rate(30_000, 1001)), (6_500_000, 6_500_000));
        assert_eq!((rate(60_000, 1001), rate(48, 1)), (9_750_000, 9_750_000));
    }

    #[test]
    fn names_survive_the_round_trip() {
        for rung in ladder(4000, 3000) {
            assert_eq!(
                rung.rendition.as_str().parse::<Rendition>().unwrap(),
                rung.rendition
            );
            assert_eq!(
                serde_json::to_value(rung.rendition).unwrap(),
                rung.rendition.as_str()
            );
        }
        assert!("v1081".parse::<Rendition>().is_err());
    }

    proptest! {
        #[test]
        fn never_above_the_source_and_always_even(width in 2..9000i32, height in 2..9000i32) {
            let rungs = ladder(width, height);
            prop_assert!(!rungs.is_empty());
            for rung in &rungs {
                prop_assert!(rung.width <= width && rung.height <= height);
                prop_assert!(rung.width % 2 == 0 && rung.height % 2 == 0 && rung.width > 0 && rung.height > 0);
            }
            prop_assert!(rungs.windows(2).all(|pair| pair[0].pixels() > pair[1].pixels()));
        }
    }
}
