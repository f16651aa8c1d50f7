//! Media segments.

use super::{
    Mp4Error,
    boxes::{Boxes, Fields},
    init::Init,
    traf::{NOT_A_KEY, Traf, Usual},
};

/// What a media segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The time that the segment states for its first sample (`tfdt`), in units of the timescale, time stamp base
    /// included. For what we make, this is where it lies on the grid.
    pub start: i64,
    /// The instant that the first sample is shown, all things considered.
    pub shown: i64,
    /// The length of all samples together.
    pub length: i64,
    /// How many samples.
    pub samples: i64,
    /// The first sample can be decoded by itself.
    pub starts_with_key: bool,
    /// From the first byte of the segment through the first sample: the range of an I-frame playlist.
    pub keyframe_bytes: i32,
}

impl Fragment {
    /// Reads a media segment that belongs to `init`.
    pub fn read(data: &[u8], init: &Init) -> Result<Self, Mp4Error> {
        let mut whole: Option<Self> = None;
        for found in Boxes::new(data) {
            let found = found?;
            if found.kind != *b"moof" {
                continue;
            }
            let part = moof(found.payload, found.offset, init)?;
            whole = Some(match whole {
                None => part,
                Some(so_far) => Self {
                    length: so_far
                        .length
                        .checked_add(part.length)
                        .ok_or(Mp4Error::Value("length"))?,
                    samples: so_far.samples + part.samples,
                    ..so_far
                },
            });
        }
        let whole = whole.ok_or(Mp4Error::Missing("moof"))?;
        if usize::try_from(whole.keyframe_bytes).map_or(true, |bytes| bytes > data.len()) {
            return Err(Mp4Error::Short);
        }
        Ok(whole)
    }

    /// Reads a media segment of `total` bytes from its beginning, as [`Fragment::read`] would read all of it.
    ///
    /// # Errors
    /// [`Mp4Error::Short`] when the beginning does not say everything: read the whole, then.
    pub fn read_head(head: &[u8], total: u64, init: &Init) -> Result<Self, Mp4Error> {
        if head.len() as u64 >= total {
            return Self::read(head, init);
        }
        let mut boxes = Boxes::new(head);
        let mut found: Option<Self> = None;
        while !boxes.only_data_is_left(total) {
            let next = boxes.next().ok_or(Mp4Error::Short)??;
            if next.kind == *b"moof" {
                if found.is_some() {
                    return Err(Mp4Error::Short);
                }
                found = Some(moof(next.payload, next.offset, init)?);
            }
        }
        let found = found.ok_or(Mp4Error::Missing("moof"))?;
        if i64::from(found.keyframe_bytes).unsigned_abs() > total {
            return Err(Mp4Error::Short);
        }
        Ok(found)
    }
}

fn moof(payload: &[u8], offset: usize, init: &Init) -> Result<Fragment, Mp4Error> {
    let traf = Traf::read(payload, offset, init)?;
    let Traf {
        start, base, usual, ..
    } = traf;
    let mut fragment: Option<Fragment> = None;
    for run in traf.runs() {
        let run = trun(run?, usual)?;
        let so_far = fragment.get_or_insert(Fragment {
            start,
            shown: start
                .checked_add(run.first_shift)
                .and_then(|shown| shown.checked_sub(init.shift))
                .ok_or(Mp4Error::Value("time"))?,
            length: 0,
            samples: 0,
            starts_with_key: run.first_flags & NOT_A_KEY == 0,
            keyframe_bytes: run.first_end(base)?,
        });
        so_far.length = so_far
            .length
            .checked_add(run.length)
            .ok_or(Mp4Error::Value("length"))?;
        so_far.samples += run.samples;
    }
    fragment
        .filter(|fragment| fragment.samples > 0)
        .ok_or(Mp4Error::Missing("trun"))
}

/// A run of samples, summed up.
struct Samples {
    samples: i64,
    length: i64,
    data_offset: i32,
    first_size: u32,
    first_flags: u32,
    first_shift: i64,
}

impl Samples {
    fn first_end(&self, base: u64) -> Result<i32, Mp4Error> {
        let end = i128::from(base) + i128::from(self.data_offset) + i128::from(self.first_size);
        i32::try_from(end)
            .ok()
            .filter(|end| *end > 0)
            .ok_or(Mp4Error::Value("sample offset"))
    }
}

fn trun(payload: &[u8], usual: Usual) -> Result<Samples, Mp4Error> {
    let Usual {
        duration,
        size,
        flags: default_flags,
    } = usual;
    let mut fields = Fields(payload);
    let head = fields.u32()?;
    let (version, flags) = (head >> 24, head & 0x00ff_ffff);
    let count = fields.u32()?;
    let data_offset = if flags & 0x1 != 0 {
        fields.u32()?.cast_signed()
    } else {
        0
    };
    let first_flags = if flags & 0x4 != 0 {
        Some(fields.u32()?)
    } else {
        None
    };
    let mut run = Samples {
        samples: i64::from(count),
        length: 0,
        data_offset,
        first_size: size,
        first_flags: first_flags.unwrap_or(default_flags),
        first_shift: 0,
    };
    if flags & 0xf00 == 0 {
        // Nothing is said per sample, so the count is bounded by nothing: multiply, do not loop.
        run.length = i64::from(count)
            .checked_mul(i64::from(duration))
            .ok_or(Mp4Error::Value("length"))?;
        return Ok(run);
    }
    for i in 0..count {
        let sample_duration = if flags & 0x100 != 0 {
            fields.u32()?
        } else {
            duration
        };
        let sample_size = if flags & 0x200 != 0 {
            fields.u32()?
        } else {
            size
        };
        let sample_flags = if flags & 0x400 != 0 {
            fields.u32()?
        } else {
            default_flags
        };
        let shift = if flags & 0x800 != 0 { fields.u32()? } else { 0 };
        run.length += i64::from(sample_duration);
        if i == 0 {
            run.first_size = sample_size;
            run.first_flags = first_flags.unwrap_or(sample_flags);
            run.first_shift = if version == 0 {
                i64::from(shift)
            } else {
                i64::from(shift.cast_signed())
            };
        }
    }
    Ok(run)
}
