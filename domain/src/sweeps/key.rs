//! Where an object lies, read from its key. Keys are made by the server alone, so what cannot be read is not ours.

use crate::ids::{AvatarId, ExportId, UploadId, VideoId};

/// What an object belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A picture of a person: `avatars/{avatar}/...`
    Avatar(AvatarId),
    /// A copy of what an account holds: `exports/{export}/...`
    Export(ExportId),
    /// The bytes of an upload: `raw/{upload}/...`
    Source(UploadId),
    /// What one generation of a video is made of: `hls/{video}/{generation}/...`, `images/{video}/{generation}/...`
    Made { video: VideoId, generation: i32 },
}

impl Place {
    /// The beginnings of all keys that are ours, in the order in which the store lists them.
    pub const ROOTS: [&'static str; 5] = ["avatars/", "exports/", "hls/", "images/", "raw/"];

    /// `None` for a key that we did not make: such objects are left alone.
    pub fn of(key: &str) -> Option<Self> {
        let (root, rest) = key.split_once('/')?;
        let (id, rest) = rest.split_once('/')?;
        match root {
            "avatars" => (!rest.is_empty()).then_some(Self::Avatar(id.parse().ok()?)),
            "exports" => (!rest.is_empty()).then_some(Self::Export(id.parse().ok()?)),
            "raw" => (!rest.is_empty()).then_some(Self::Source(id.parse().ok()?)),
            "hls" | "images" => {
                let (generation, rest) = rest.split_once('/')?;
                (!rest.is_empty()).then_some(Self::Made {
                    video: id.parse().ok()?,
                    generation: generation.parse().ok()?,
                })
            }
            _ => None,
        }
    }
}

/// The folders above an object, from the outermost.
pub(super) fn folders(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(at, _)| &key[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199f3a1-0000-7000-8000-000000000001";

    #[test]
    fn keys_tell_what_they_belong_to() {
        let source = Place::Source(ID.parse().expect("an id"));
        let made = Place::Made {
            video: ID.parse().expect("an id"),
            generation: 2,
        };
        let of = |key: String| Place::of(&key);
        let avatar = Place::Avatar(ID.parse().expect("an id"));
        assert_eq!(of(format!("avatars/{ID}/64.jpg")), Some(avatar));
        let export = Place::Export(ID.parse().expect("an id"));
        assert_eq!(of(format!("exports/{ID}/x.zip")), Some(export));
        assert_eq!(of(format!("raw/{ID}/source")), Some(source));
        assert_eq!(of(format!("hls/{ID}/2/v720/c0-1/seg_0.m4s")), Some(made));
        assert_eq!(of(format!("images/{ID}/2/poster-1.jpg")), Some(made));
    }

    #[test]
    fn other_peoples_keys_are_not_ours() {
        for key in [
            "",
            "readme.txt",
            "raw/",
            "raw/x/source",
            &format!("raw/{ID}/"),
            &format!("hls/{ID}/"),
            &format!("hls/{ID}/two/v720/init.mp4"),
            &format!("hls/{ID}/2/"),
            &format!("backup/{ID}/2/v720"),
        ] {
            assert_eq!(Place::of(key), None, "{key}");
        }
    }

    #[test]
    fn folders_end_in_slashes() {
        assert_eq!(
            folders("hls/a/1/seg").collect::<Vec<_>>(),
            ["hls/", "hls/a/", "hls/a/1/"]
        );
    }
}
