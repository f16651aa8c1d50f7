//! Where MediaConvert writes: in the folders of the generation, in one of its own for each try, so that what is left of
//! a try that failed is never taken for that of another, and deletion and sweeps need to know nothing of it.

use crate::{ids::VideoId, media::Rendition};

/// How their folders within a generation begin. No rendition is called like that, and no chunk.
pub const FOLDER: &str = "mc-";
/// What all files of a job are called before the rendition's name.
const STEM: &str = "film";

/// The folders of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outputs {
    pub video: VideoId,
    pub generation: i32,
    pub round: i16,
    pub attempt: i16,
}

impl Outputs {
    /// The folder of segments and manifests.
    pub fn segments(&self) -> String {
        format!(
            "hls/{}/{}/{FOLDER}{}-{}/",
            self.video, self.generation, self.round, self.attempt
        )
    }

    /// The folder of pictures.
    pub fn pictures(&self) -> String {
        format!(
            "images/{}/{}/{FOLDER}{}-{}/",
            self.video, self.generation, self.round, self.attempt
        )
    }

    /// The manifest of a rendition: their naming of CMAF outputs, the destination's stem and the name modifier.
    pub fn manifest(&self, rendition: Rendition) -> String {
        format!("{}{STEM}{}.m3u8", self.segments(), modifier(rendition))
    }

    /// The destination of segments in `bucket`, as jobs name it.
    pub(super) fn segments_in(&self, bucket: &str) -> String {
        format!("s3://{bucket}/{}{STEM}", self.segments())
    }

    /// The destination of pictures.
    pub(super) fn pictures_in(&self, bucket: &str) -> String {
        format!("s3://{bucket}/{}{STEM}", self.pictures())
    }
}

/// What tells the files of a rendition from those of another.
pub(super) fn modifier(rendition: Rendition) -> String {
    format!("_{rendition}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweeps::Place;

    #[test]
    fn what_they_write_is_the_generations() {
        let video = VideoId::new();
        let outputs = Outputs {
            video,
            generation: 3,
            round: 2,
            attempt: 1,
        };
        let made = Some(Place::Made {
            video,
            generation: 3,
        });
        assert_eq!(Place::of(&outputs.manifest(Rendition::V720)), made);
        assert_eq!(Place::of(&format!("{}x.jpg", outputs.pictures())), made);
        assert_eq!(
            outputs.manifest(Rendition::Audio),
            format!("hls/{video}/3/mc-2-1/film_audio.m3u8")
        );
    }
}
