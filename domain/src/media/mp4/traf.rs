//! The head of a track's fragment: where it starts and what its samples have in common.

use super::{
    Mp4Error,
    boxes::{Boxes, Fields, child},
    init::Init,
};

/// The flag of a sample that cannot be decoded by itself.
pub(super) const NOT_A_KEY: u32 = 0x0001_0000;

/// What a sample is unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// The only track of a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traf<'a> {
    payload: &'a [u8],
    /// The decode time of the first sample.
    pub(super) start: i64,
    /// Where offsets count from.
    pub(super) base: u64,
    pub(super) usual: Usual,
}

impl<'a> Traf<'a> {
    /// Reads the track of the `moof` box whose payload this is and that starts at `offset`.
    pub(super) fn read(moof: &'a [u8], offset: usize, init: &Init) -> Result<Self, Mp4Error> {
        let payload = child(moof, b"traf", "traf")?;
        let mut tfhd = Fields(child(payload, b"tfhd", "tfhd")?);
        let flags = tfhd.u32()? & 0x00ff_ffff;
        tfhd.skip(4)?;
        let mut base = offset as u64;
        if flags & 0x1 != 0 {
            base = tfhd.u64()?;
        }
        if flags & 0x2 != 0 {
            tfhd.skip(4)?;
        }
        let mut usual = init.usual;
        if flags & 0x8 != 0 {
            usual.duration = tfhd.u32()?;
        }
        if flags & 0x10 != 0 {
            usual.size = tfhd.u32()?;
        }
        if flags & 0x20 != 0 {
            usual.flags = tfhd.u32()?;
        }
        let mut tfdt = Fields(child(payload, b"tfdt", "tfdt")?);
        let version = tfdt.u32()? >> 24;
        let start = if version == 1 {
            tfdt.u64()?
        } else {
            u64::from(tfdt.u32()?)
        };
        Ok(Self {
            payload,
            start: i64::try_from(start).map_err(|_| Mp4Error::Value("time"))?,
            base,
            usual,
        })
    }

    /// The payloads of its runs of samples.
    pub(super) fn runs(&self) -> impl Iterator<Item = Result<&'a [u8], Mp4Error>> {
        Boxes::new(self.payload).filter_map(|found| match found {
            Ok(found) if found.kind == *b"trun" => Some(Ok(found.payload)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}
