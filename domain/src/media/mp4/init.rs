//! Init segments.

use super::{
    Mp4Error,
    boxes::{Boxes, Fields, child},
    traf::Usual,
};

/// What an init segment says about its only track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// RFC 6381, for CODECS: `avc1.64001f`, `mp4a.40.2`.
    pub codecs: String,
    /// Units per second of all times in the media segments.
    pub timescale: i32,
    /// Pixels; zero for sound.
    pub width: i32,
    /// Pixels; zero for sound.
    pub height: i32,
    /// How much later than they are shown samples are timed: the reordering of B-frames, undone by an edit list.
    pub(super) shift: i64,
    pub(super) usual: Usual,
}

impl Init {
    /// Reads an init segment.
    pub fn read(data: &[u8]) -> Result<Self, Mp4Error> {
        let moov = child(data, b"moov", "moov")?;
        let trak = child(moov, b"trak", "trak")?;
        let mdia = child(trak, b"mdia", "mdia")?;
        let mut mdhd = Fields(child(mdia, b"mdhd", "mdhd")?);
        let version = mdhd.u32()? >> 24;
        mdhd.skip(if version == 1 { 16 } else { 8 })?;
        let timescale = i32::try_from(mdhd.u32()?)
            .ok()
            .filter(|scale| *scale > 0)
            .ok_or(Mp4Error::Value("timescale"))?;
        let shift = match child(trak, b"edts", "edts") {
            Ok(edts) => edit_list(child(edts, b"elst", "elst")?, moov, timescale)?,
            Err(_) => 0,
        };

        let stbl = child(child(mdia, b"minf", "minf")?, b"stbl", "stbl")?;
        let mut stsd = Fields(child(stbl, b"stsd", "stsd")?);
        stsd.skip(8)?;
        let (codecs, width, height) = sample_entry(stsd.0)?;

        let mut trex = Fields(child(child(moov, b"mvex", "mvex")?, b"trex", "trex")?);
        trex.skip(12)?;
        let usual = Usual {
            duration: trex.u32()?,
            size: trex.u32()?,
            flags: trex.u32()?,
        };
        Ok(Self {
            codecs,
            timescale,
            width,
            height,
            shift,
            usual,
        })
    }
}

/// The media time that the presentation starts at. Others' files may begin with an empty edit, which shows everything that
/// much later; it is counted in the units of the whole film.
fn edit_list(data: &[u8], moov: &[u8], timescale: i32) -> Result<i64, Mp4Error> {
    let mut fields = Fields(data);
    let version = fields.u32()? >> 24;
    let count = fields.u32()?;
    let mut delay = 0_i64;
    // An empty edit, and one of everything: more is a cut that fragments cannot have.
    for _ in 0..count.min(3) {
        let (length, time) = if version == 1 {
            (fields.u64()?.cast_signed(), fields.u64()?.cast_signed())
        } else {
            (
                i64::from(fields.u32()?),
                i64::from(fields.u32()?.cast_signed()),
            )
        };
        // The rate.
        fields.skip(4)?;
        match time {
            -1 if delay == 0 => delay = length,
            0.. => {
                let delay = if delay == 0 {
                    0
                } else {
                    delay
                        .checked_mul(i64::from(timescale))
                        .ok_or(Mp4Error::Value("edit list"))?
                        / i64::from(film_timescale(moov)?)
                };
                return time.checked_sub(delay).ok_or(Mp4Error::Value("edit list"));
            }
            _ => break,
        }
    }
    Err(Mp4Error::Value("edit list"))
}

/// Units a second of the whole film.
fn film_timescale(moov: &[u8]) -> Result<u32, Mp4Error> {
    let mut mvhd = Fields(child(moov, b"mvhd", "mvhd")?);
    let version = mvhd.u32()? >> 24;
    mvhd.skip(if version == 1 { 16 } else { 8 })?;
    let scale = mvhd.u32()?;
    (scale > 0)
        .then_some(scale)
        .ok_or(Mp4Error::Value("timescale"))
}

fn sample_entry(data: &[u8]) -> Result<(String, i32, i32), Mp4Error> {
    let entry = Boxes::new(data)
        .next()
        .ok_or(Mp4Error::Missing("sample entry"))??;
    let mut fields = Fields(entry.payload);
    match &entry.kind {
        b"avc1" => {
            fields.skip(24)?;
            let (width, height) = (fields.u16()?, fields.u16()?);
            fields.skip(50)?;
            let avcc = child(fields.0, b"avcC", "avcC")?;
            let profile = avcc.get(1..4).ok_or(Mp4Error::Short)?;
            Ok((
                format!("avc1.{}", hex::encode(profile)),
                i32::from(width),
                i32::from(height),
            ))
        }
        b"mp4a" => {
            fields.skip(28)?;
            let mut esds = Fields(child(fields.0, b"esds", "esds")?);
            esds.skip(4)?;
            Ok((format!("mp4a.{}", audio_object(esds.0)?), 0, 0))
        }
        _ => Err(Mp4Error::Codec),
    }
}

/// `40.2` out of the chain of MPEG-4 descriptors.
fn audio_object(data: &[u8]) -> Result<String, Mp4Error> {
    let mut fields = Fields(data);
    fields.descriptor(3)?;
    fields.skip(2)?;
    if fields.u8()? != 0 {
        return Err(Mp4Error::Codec);
    }
    fields.descriptor(4)?;
    let object = fields.u8()?;
    fields.skip(12)?;
    fields.descriptor(5)?;
    let first = fields.u16()?;
    let kind = match first >> 11 {
        31 => 32 + ((first >> 5) & 0x3f),
        kind => kind,
    };
    Ok(format!("{object:x}.{kind}"))
}
