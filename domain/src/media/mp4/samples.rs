//! The samples of a segment, one by one: more than playlists need, and what it takes to check what they promise.

use super::{
    Mp4Error,
    boxes::{Boxes, Fields},
    init::Init,
    traf::{NOT_A_KEY, Traf},
};

/// An encoded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Its bytes.
    pub data: &'a [u8],
    /// The offset of the first byte after it.
    pub end: usize,
    /// When it is decoded, in units of the timescale.
    pub decoded: i64,
    /// When it is shown.
    pub shown: i64,
    /// How long it lasts.
    pub length: i64,
    /// It says that it can be decoded by itself.
    pub key: bool,
}

impl Sample<'_> {
    /// It is an IDR picture: one of its NAL units, each preceded by its length in four bytes, says so.
    pub fn is_idr(&self) -> bool {
        let mut rest = self.data;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            if after.first().is_some_and(|head| head & 0x1f == 5) {
                return true;
            }
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            rest = after.get(length..).unwrap_or_default();
        }
        false
    }
}

/// The samples that lie whole in `data`, in the order of decoding. Data that was cut short yields those before the cut.
///
/// # Errors
/// What is there cannot be understood.
pub fn samples<'a>(data: &'a [u8], init: &Init) -> Result<Vec<Sample<'a>>, Mp4Error> {
    let mut all = Vec::new();
    for found in Boxes::new(data) {
        // Only the box of the frames may be cut short, and the boxes that describe them come before it.
        let Ok(found) = found else { break };
        if found.kind != *b"moof" {
            continue;
        }
        let traf = Traf::read(found.payload, found.offset, init)?;
        let mut time = traf.start;
        let mut at = traf.base;
        for run in traf.runs() {
            let mut fields = Fields(run?);
            let head = fields.u32()?;
            let (version, flags) = (head >> 24, head & 0x00ff_ffff);
            let count = fields.u32()?;
            if flags & 0x1 != 0 {
                at = traf
                    .base
                    .checked_add_signed(i64::from(fields.u32()?.cast_signed()))
                    .ok_or(Mp4Error::Value("sample offset"))?;
            }
            let first_flags = (flags & 0x4 != 0).then(|| fields.u32()).transpose()?;
            for i in 0..count {
                let mut usual = traf.usual;
                for (flag, value) in [
                    (0x100, &mut usual.duration),
                    (0x200, &mut usual.size),
                    (0x400, &mut usual.flags),
                ] {
                    if flags & flag != 0 {
                        *value = fields.u32()?;
                    }
                }
                let shift = if flags & 0x800 != 0 { fields.u32()? } else { 0 };
                let shift = if version == 0 {
                    i64::from(shift)
                } else {
                    i64::from(shift.cast_signed())
                };
                if let (0, Some(first)) = (i, first_flags) {
                    usual.flags = first;
                }
                // A sample of nothing would let a count of billions go on for ever.
                if usual.size == 0 {
                    return Err(Mp4Error::Value("sample size"));
                }
                let start = usize::try_from(at).map_err(|_| Mp4Error::Value("sample offset"))?;
                at = at
                    .checked_add(u64::from(usual.size))
                    .ok_or(Mp4Error::Value("sample offset"))?;
                let end = usize::try_from(at).map_err(|_| Mp4Error::Value("sample offset"))?;
                let Some(bytes) = data.get(start..end) else {
                    return Ok(all);
                };
                let length = i64::from(usual.duration);
                let shown = time
                    .checked_add(shift)
                    .and_then(|shown| shown.checked_sub(init.shift))
                    .ok_or(Mp4Error::Value("time"))?;
                all.push(Sample {
                    data: bytes,
                    end,
                    decoded: time,
                    shown,
                    length,
                    key: usual.flags & NOT_A_KEY == 0,
                });
                time = time.checked_add(length).ok_or(Mp4Error::Value("length"))?;
            }
        }
    }
    Ok(all)
}
