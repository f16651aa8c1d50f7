//! A reader for the fragmented MP4 that we make: what playlists need of init and media segments.
//!
//! It never panics and never reads out of bounds, whatever it is given; what it does not understand is an error.

/// Boxes and fields.
mod boxes;
/// Media segments.
mod fragment;
/// Init segments.
mod init;
/// Frames one by one.
mod samples;
/// The head of a track's fragment.
mod traf;

pub use fragment::Fragment;
pub use init::Init;
pub use samples::{Sample, samples};

/// The bytes are not what we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// A box ends beyond the data, or is shorter than its fields.
    #[error("the MP4 data is cut short")]
    Short,
    /// A box that must be there is not.
    #[error("the MP4 data has no {0} box")]
    Missing(&'static str),
    /// A codec that we do not make.
    #[error("the MP4 data has a codec that is not ours")]
    Codec,
    /// A number that cannot be.
    #[error("the MP4 data has an impossible {0}")]
    Value(&'static str),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut data = u32::try_from(payload.len() + 8)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        data.extend_from_slice(kind);
        data.extend_from_slice(payload);
        data
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn init(entry: &[u8]) -> Vec<u8> {
        init_with(entry, &words(&[0, 1, 0, 2002, 0x1_0000]))
    }

    fn init_with(entry: &[u8], elst: &[u8]) -> Vec<u8> {
        let mvhd = boxed(b"mvhd", &words(&[0, 0, 0, 1_000, 0]));
        let mdhd = boxed(b"mdhd", &words(&[0, 0, 0, 30_000, 0, 0]));
        let mut stsd = words(&[0, 1]);
        stsd.extend_from_slice(entry);
        let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
        let mdia = boxed(b"mdia", &[mdhd, boxed(b"minf", &stbl)].concat());
        let mvex = boxed(
            b"mvex",
            &boxed(b"trex", &words(&[0, 1, 1, 1001, 0, 0x0101_0000])),
        );
        let edts = boxed(b"edts", &boxed(b"elst", elst));
        let trak = boxed(b"trak", &[edts, mdia].concat());
        let moov = boxed(b"moov", &[mvhd, trak, mvex].concat());
        [boxed(b"ftyp", b"iso5"), moov].concat()
    }

    fn video_init() -> Vec<u8> {
        init(&video_entry())
    }

    fn video_entry() -> Vec<u8> {
        let mut entry = vec![0; 78];
        entry[24..28].copy_from_slice(&[2, 128, 1, 104]);
        entry.extend(boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff]));
        boxed(b"avc1", &entry)
    }

    fn segment() -> Vec<u8> {
        // Three samples with sizes and shifts; the first is a key frame by the run's first-sample flags.
        let tfhd = boxed(b"tfhd", &words(&[0x0002_0000, 1]));
        let tfdt = boxed(b"tfdt", &words(&[0x0100_0000, 0, 300_000]));
        let trun = boxed(
            b"trun",
            &words(&[0x0000_0a05, 3, 100, 0x0200_0000, 9, 2002, 5, 0, 5, 1001]),
        );
        let traf = boxed(b"traf", &[tfhd, tfdt, trun].concat());
        let styp = boxed(b"styp", b"msdh");
        [styp, boxed(b"moof", &traf), boxed(b"mdat", &[0; 19])].concat()
    }

    #[test]
    fn a_picture_is_read() {
        let init = Init::read(&video_init()).unwrap();
        assert_eq!(
            (
                init.codecs.as_str(),
                init.timescale,
                init.width,
                init.height
            ),
            ("avc1.64001f", 30_000, 640, 360)
        );
        let fragment = Fragment::read(&segment(), &init).unwrap();
        let expected = Fragment {
            start: 300_000,
            shown: 300_000,
            length: 3003,
            samples: 3,
            starts_with_key: true,
            keyframe_bytes: 12 + 100 + 9,
        };
        assert_eq!(fragment, expected);
        let bytes = segment();
        let all = samples(&bytes, &init).unwrap();
        let read = |s: &Sample<'_>| (s.data.len(), s.decoded, s.shown, s.key);
        assert_eq!(
            all.iter().map(read).collect::<Vec<_>>(),
            [
                (9, 300_000, 300_000, true),
                (5, 301_001, 298_999, false),
                (5, 302_002, 301_001, false)
            ]
        );
        let cut = usize::try_from(fragment.keyframe_bytes).unwrap();
        assert_eq!(samples(&bytes[..cut], &init).unwrap(), all[..1]);
    }

    #[test]
    fn an_empty_edit_shows_everything_later() {
        let shown = |elst: &[u32]| {
            let init = Init::read(&init_with(&video_entry(), &words(elst)))?;
            Fragment::read(&segment(), &init).map(|fragment| fragment.shown)
        };
        assert_eq!(shown(&[0, 1, 0, 2002, 0x1_0000]), Ok(300_000));
        // 100 ms, in thousandths.
        let late = [0, 2, 100, u32::MAX, 0x1_0000, 0, 2002, 0x1_0000];
        assert_eq!(shown(&late), Ok(303_000));
        assert!(shown(&[0, 0]).is_err());
        assert!(shown(&[0, 1, 100, u32::MAX, 0x1_0000]).is_err());
    }

    #[test]
    fn a_beginning_says_as_much_as_the_whole_or_that_it_does_not() {
        let init = Init::read(&video_init()).unwrap();
        let whole = segment();
        let total = whole.len() as u64;
        let read = Fragment::read(&whole, &init).unwrap();
        let data = whole.len() - 19;
        for cut in data..whole.len() {
            assert_eq!(Fragment::read_head(&whole[..cut], total, &init), Ok(read));
        }
        assert!(Fragment::read_head(&whole[..data - 9], total, &init).is_err());
        // Something comes after the data: another fragment, for all that is known.
        assert!(Fragment::read_head(&whole[..data], total + 100, &init).is_err());
    }

    #[test]
    fn idr_pictures_are_told_apart() {
        let sample = |data| Sample {
            data,
            end: 0,
            decoded: 0,
            shown: 0,
            length: 0,
            key: true,
        };
        // Supplemental information (6), then the slice.
        assert!(sample(&[0, 0, 0, 2, 6, 1, 0, 0, 0, 1, 0x65]).is_idr());
        assert!(!sample(&[0, 0, 0, 2, 6, 1, 0, 0, 0, 1, 0x41]).is_idr());
        assert!(!sample(&[0xff, 0xff, 0xff, 0xff, 6]).is_idr());
    }

    #[test]
    fn sound_is_read() {
        let mut entry = vec![0; 28];
        let mut esds = words(&[0]);
        esds.extend([
            3, 0x80, 0x80, 0x80, 34, 0, 1, 0, 4, 20, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            5, 2, 0x11, 0x90,
        ]);
        entry.extend(boxed(b"esds", &esds));
        assert_eq!(
            Init::read(&init(&boxed(b"mp4a", &entry))).unwrap().codecs,
            "mp4a.40.2"
        );
    }

    #[test]
    fn a_billion_samples_cost_nothing() {
        let init = Init::read(&video_init()).unwrap();
        let tfhd = boxed(b"tfhd", &words(&[0x0002_0000, 1]));
        let tfdt = boxed(b"tfdt", &words(&[0, 0]));
        let trun = boxed(b"trun", &words(&[0, u32::MAX]));
        let traf = boxed(b"traf", &[tfhd, tfdt, trun].concat());
        let data = [boxed(b"free", &[0; 64]), boxed(b"moof", &traf)].concat();
        assert_eq!(
            Fragment::read(&data, &init).unwrap().samples,
            i64::from(u32::MAX)
        );
    }

    proptest! {
        #[test]
        fn noise_never_panics(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            let init = Init::read(&video_init()).unwrap();
            let _ = (Init::read(&data), Fragment::read(&data, &init), samples(&data, &init));
        }

        #[test]
        fn damage_never_panics(hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), cut in any::<usize>()) {
            let init = Init::read(&video_init()).unwrap();
            for whole in [video_init(), segment()] {
                let mut data = whole;
                for (at, byte) in &hits {
                    let at = at % data.len();
                    data[at] = *byte;
                }
                data.truncate(cut % (data.len() + 1));
                let _ = (Init::read(&data), Fragment::read(&data, &init), samples(&data, &init));
            }
        }

        #[test]
        fn what_is_cut_short_is_refused(cut in 0..1000usize) {
            let init = Init::read(&video_init()).unwrap();
            let whole = segment();
            // The box of data itself may be short of its end, not of its first sample.
            let cut = cut % (whole.len() - 19);
            prop_assert!(Fragment::read(&whole[..cut], &init).is_err());
        }
    }
}
