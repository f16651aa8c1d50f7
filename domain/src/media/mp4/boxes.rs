//! Boxes and fields, read without a step out of bounds.

use super::Mp4Error;

/// The payload of the first box of a kind.
pub(super) fn child<'a>(
    data: &'a [u8],
    kind: &[u8; 4],
    name: &'static str,
) -> Result<&'a [u8], Mp4Error> {
    for found in Boxes::new(data) {
        let found = found?;
        if found.kind == *kind {
            return Ok(found.payload);
        }
    }
    Err(Mp4Error::Missing(name))
}

pub(super) struct Found<'a> {
    pub(super) kind: [u8; 4],
    /// Where the box starts, header included.
    pub(super) offset: usize,
    pub(super) payload: &'a [u8],
}

/// The boxes that lie side by side in some data.
pub(super) struct Boxes<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Boxes<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// What comes next is media data that reaches to the end of a file of `total` bytes.
    pub(super) fn only_data_is_left(&self, total: u64) -> bool {
        let mut fields = Fields(self.data.get(self.at..).unwrap_or_default());
        let (Ok(size), Ok(kind)) = (fields.u32(), fields.u32()) else {
            return false;
        };
        let end = (self.at as u64).saturating_add(u64::from(size));
        kind.to_be_bytes() == *b"mdat" && (size == 0 || end == total)
    }

    fn read(&mut self) -> Result<Found<'a>, Mp4Error> {
        let rest = self.data.get(self.at..).ok_or(Mp4Error::Short)?;
        let mut fields = Fields(rest);
        let size = u64::from(fields.u32()?);
        let kind = fields.u32()?.to_be_bytes();
        let size = match size {
            0 => rest.len() as u64,
            1 => fields.u64()?,
            size => size,
        };
        let header = rest.len() - fields.0.len();
        let size = usize::try_from(size).map_err(|_| Mp4Error::Short)?;
        let payload = rest.get(header..size).ok_or(Mp4Error::Short)?;
        let offset = self.at;
        self.at += size;
        Ok(Found {
            kind,
            offset,
            payload,
        })
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Found<'a>, Mp4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.data.len() {
            return None;
        }
        let found = self.read();
        if found.is_err() {
            self.at = self.data.len();
        }
        Some(found)
    }
}

/// Big-endian fields, read from the front.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Mp4Error> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Mp4Error::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Result<(), Mp4Error> {
        self.0 = self.0.get(bytes..).ok_or(Mp4Error::Short)?;
        Ok(())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Mp4Error> {
        Ok(self.take::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Mp4Error> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Mp4Error> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Mp4Error> {
        self.take().map(u64::from_be_bytes)
    }

    /// The header of an MPEG-4 descriptor, whose length is spread over bytes of seven bits.
    pub(super) fn descriptor(&mut self, tag: u8) -> Result<(), Mp4Error> {
        if self.u8()? != tag {
            return Err(Mp4Error::Codec);
        }
        for _ in 0..4 {
            if self.u8()? & 0x80 == 0 {
                return Ok(());
            }
        }
        Err(Mp4Error::Value("descriptor"))
    }
}
