//! What `-progress` says: blocks of `key=value` lines, each closed by `progress=`.

use std::time::Duration;

/// One block.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tick {
    /// Frames that the first output has.
    pub(crate) frame: i64,
    /// How far the output is, time stamp base included.
    pub(crate) out_time: Duration,
    /// Seconds of media per second.
    pub(crate) speed: Option<f64>,
}

impl Tick {
    /// Something came out since `other`.
    pub(super) fn is_beyond(&self, other: &Self) -> bool {
        self.frame > other.frame || self.out_time > other.out_time
    }
}

/// Collects lines into ticks.
#[derive(Debug, Default)]
pub(super) struct Parser {
    tick: Tick,
}

impl Parser {
    /// Takes a line; a tick comes out when it closes a block.
    pub(super) fn line(&mut self, line: &str) -> Option<Tick> {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        match key.trim() {
            "frame" => {
                self.tick.frame = value
                    .parse()
                    .unwrap_or(self.tick.frame)
                    .max(self.tick.frame);
            }
            // `out_time_ms` is in microseconds, too; only this name tells the truth.
            "out_time_us" => {
                let time = value.parse().map(Duration::from_micros).unwrap_or_default();
                self.tick.out_time = self.tick.out_time.max(time);
            }
            "speed" => self.tick.speed = value.trim_end_matches('x').trim().parse().ok(),
            "progress" => return Some(self.tick),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_ticks_that_never_go_back() {
        let mut parser = Parser::default();
        let text = "frame=12\nout_time_us=10400000\nspeed=2.5x\nprogress=continue\nframe=11\nout_time_us=N/A\n\
            speed=N/A\nprogress=end\n";
        let ticks: Vec<_> = text.lines().filter_map(|line| parser.line(line)).collect();
        assert_eq!(ticks.len(), 2);
        assert_eq!(
            ticks[0],
            Tick {
                frame: 12,
                out_time: Duration::from_millis(10_400),
                speed: Some(2.5)
            }
        );
        assert_eq!(
            ticks[1],
            Tick {
                frame: 12,
                out_time: Duration::from_millis(10_400),
                speed: None
            }
        );
        assert!(!ticks[1].is_beyond(&ticks[0]));
    }
}
