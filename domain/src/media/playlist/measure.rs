//! Measured bandwidths, as Apple's authoring specification defines them.

use super::Segment;

/// Bits a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// The largest bit rate of any run of segments that lasts between half and one and a half target durations.
    pub peak: i32,
    /// The mean over everything.
    pub average: i32,
}

/// Measures whole segments.
pub fn measure(target_duration: i32, segments: &[Segment]) -> Bandwidth {
    bandwidth(
        target_duration,
        segments
            .iter()
            .map(|segment| (segment.bytes, segment.seconds())),
    )
}

/// Measures what a player loads that shows key frames only.
pub fn measure_iframes(target_duration: i32, segments: &[Segment]) -> Bandwidth {
    let frames = segments
        .iter()
        .map(|segment| (segment.keyframe_bytes.unwrap_or(0), segment.seconds()));
    bandwidth(target_duration, frames)
}

fn bandwidth(target_duration: i32, segments: impl Iterator<Item = (i32, f64)>) -> Bandwidth {
    let segments: Vec<_> = segments
        .map(|(bytes, seconds)| (f64::from(bytes) * 8.0, seconds))
        .collect();
    let (least, most) = (
        0.5 * f64::from(target_duration),
        1.5 * f64::from(target_duration),
    );
    let (mut peak, mut all_bits, mut all_seconds) = (0.0f64, 0.0, 0.0);
    for (i, (bits, seconds)) in segments.iter().enumerate() {
        all_bits += bits;
        all_seconds += seconds;
        let (mut run_bits, mut run_seconds) = (0.0, 0.0);
        for (bits, seconds) in &segments[i..] {
            run_bits += bits;
            run_seconds += seconds;
            if run_seconds > most {
                break;
            }
            if run_seconds >= least {
                peak = peak.max(run_bits / run_seconds);
            }
        }
    }
    let average = if all_seconds > 0.0 {
        all_bits / all_seconds
    } else {
        0.0
    };
    // What is shorter than half a target duration has no such run.
    let peak = peak.max(average);
    Bandwidth {
        peak: peak.ceil() as i32,
        average: average.ceil() as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::playlist::fixtures::segments;

    #[test]
    fn a_short_last_segment_counts_only_with_its_neighbour() {
        let measured = measure(4, &segments());
        // Segments 2 and 3 together: 450,000 bytes in 5.005 s; segment 3 alone would be 2 Mbit/s.
        assert_eq!(measured.peak, (450_000.0 * 8.0 / 5.005f64).ceil() as i32);
        assert_eq!(
            measured.average,
            (700_000.0 * 8.0 / 13.013f64).ceil() as i32
        );
        assert!(measure_iframes(4, &segments()).peak < measured.peak);
    }

    #[test]
    fn nothing_is_nothing_and_little_is_its_mean() {
        assert_eq!(measure(4, &[]), Bandwidth::default());
        let measured = measure(4, &segments()[3..]);
        assert_eq!(measured.peak, measured.average);
    }
}
