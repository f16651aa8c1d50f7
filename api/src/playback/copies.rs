//! The playlists of a copied picture, watched while the ladder is made. They grow as the copy does and end when it has;
//! their segments are the source's, so they are not those of the grid that everything else is cut by.

use millrace_domain::{
    media::{
        Grid, Rendition,
        playlist::{self, AudioEntry, Segment, Stage, Uris, VideoEntry},
    },
    videos::{self, Source, Video},
};
use sqlx::PgConnection;

use super::playlists::Name;

/// An end of the sound may miss that of the picture by an AAC frame; what is left to list is longer.
const SAME_TIME: f64 = 0.1;

/// What is stored of a copy and of the sound that goes with it, each without a gap.
struct Stored {
    picture: Vec<Segment>,
    sound: Vec<Segment>,
    /// Nothing will follow.
    complete: bool,
}

/// A playlist of the copy and whether it is final; none if there is no such list (yet, or any more).
pub(super) async fn render(
    conn: &mut PgConnection,
    video: &Video,
    grid: &Grid,
    name: Name,
    uris: &impl Uris,
) -> anyhow::Result<Option<(String, bool)>> {
    let source = videos::source(&mut *conn, video.id, video.generation).await?;
    let Some(source) = source else {
        return Ok(None);
    };
    let stored = Stored::read(conn, video, grid, &source).await?;
    if !stored.plays(video) {
        return Ok(None);
    }
    let text = match name {
        Name::Master => {
            return Ok(master(conn, video, grid, &source, uris)
                .await?
                .map(|text| (text, false)));
        }
        Name::Media(rendition @ (Rendition::Source | Rendition::Audio)) => {
            let segments = stored.listed(rendition);
            if segments.is_empty() {
                return Ok(None);
            }
            let stage = Stage::Event {
                complete: stored.complete,
            };
            playlist::media(rendition, stage, source.target_duration, segments, uris)
        }
        Name::Media(_) | Name::IFrames(_) => return Ok(None),
    };
    Ok(Some((text, stored.complete)))
}

async fn master(
    conn: &mut PgConnection,
    video: &Video,
    grid: &Grid,
    source: &Source,
    uris: &impl Uris,
) -> anyhow::Result<Option<String>> {
    let qualities = videos::qualities(conn, video.id, video.generation).await?;
    let sound = qualities
        .iter()
        .find(|quality| quality.rendition == Rendition::Audio.as_str());
    let audio = sound.and_then(|quality| {
        Some(AudioEntry {
            codecs: quality.codecs.clone()?,
            bandwidth: quality.max_bitrate,
            average_bandwidth: None,
        })
    });
    let Some(codecs) = source.codecs.clone() else {
        return Ok(None);
    };
    let picture = VideoEntry {
        rendition: Rendition::Source,
        width: source.width,
        height: source.height,
        fps: grid.fps,
        codecs,
        bandwidth: source.max_bitrate,
        average_bandwidth: None,
        iframes: None,
    };
    Ok(Some(playlist::master(&[picture], audio.as_ref(), uris)))
}

impl Stored {
    async fn read(
        conn: &mut PgConnection,
        video: &Video,
        grid: &Grid,
        source: &Source,
    ) -> Result<Self, sqlx::Error> {
        let picture = leading(conn, video, Rendition::Source).await?;
        let sound = leading(conn, video, Rendition::Audio).await?;
        let whole = usize::try_from(grid.segment_count()).unwrap_or(usize::MAX);
        let heard = video.has_audio != Some(true) || sound.len() >= whole;
        Ok(Self {
            picture,
            sound,
            complete: source.complete && heard,
        })
    }

    fn plays(&self, video: &Video) -> bool {
        !self.picture.is_empty() && (video.has_audio != Some(true) || !self.sound.is_empty())
    }

    /// What players are shown of a rendition: while something is still to come, the segments that begin before both
    /// picture and sound end.
    fn listed(&self, rendition: Rendition) -> &[Segment] {
        let own = if rendition == Rendition::Source {
            &self.picture
        } else {
            &self.sound
        };
        if self.complete {
            return own;
        }
        let mut reach = length(&self.picture);
        if !self.sound.is_empty() {
            reach = reach.min(length(&self.sound));
        }
        let mut begin = 0.0;
        let inside = own.iter().take_while(|segment| {
            let inside = begin < reach - SAME_TIME;
            begin += segment.seconds();
            inside
        });
        &own[..inside.count()]
    }
}

fn length(segments: &[Segment]) -> f64 {
    segments.iter().map(Segment::seconds).sum()
}

async fn leading(
    conn: &mut PgConnection,
    video: &Video,
    rendition: Rendition,
) -> Result<Vec<Segment>, sqlx::Error> {
    let name = rendition.as_str();
    let rows = videos::leading_segments(conn, video.id, video.generation, name).await?;
    Ok(rows.iter().map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(lengths: &[i64]) -> Vec<Segment> {
        let segment = |(n, length)| Segment {
            n,
            length,
            timescale: 10,
            bytes: 1,
            key: String::new(),
            init_key: String::new(),
            keyframe_bytes: None,
        };
        (0..).zip(lengths.iter().copied()).map(segment).collect()
    }

    fn listed(picture: &[i64], sound: &[i64], complete: bool) -> (usize, usize) {
        let stored = Stored {
            picture: segments(picture),
            sound: segments(sound),
            complete,
        };
        (
            stored.listed(Rendition::Source).len(),
            stored.listed(Rendition::Audio).len(),
        )
    }

    #[test]
    fn both_are_listed_as_far_as_both_reach() {
        // The first segment of each is listed at once, however different their lengths.
        assert_eq!(listed(&[100], &[40], false), (1, 1));
        assert_eq!(listed(&[100, 100], &[40], false), (1, 1));
        assert_eq!(listed(&[100, 100], &[40, 40, 40], false), (2, 3));
        assert_eq!(listed(&[48, 48, 24], &[40; 9], false), (3, 3));
        assert_eq!(listed(&[40, 40, 40], &[], false), (3, 0));
        assert_eq!(listed(&[48, 48], &[40; 9], true), (2, 9));
    }

    #[test]
    fn a_list_only_grows() {
        let picture: Vec<i64> = (0..30).map(|n| 24 + n * 7 % 50).collect();
        let sound = [40; 40];
        let mut last = (0, 0);
        for step in 1..60 {
            let have = (step.min(picture.len()), (step / 2 + 1).min(sound.len()));
            let now = listed(&picture[..have.0], &sound[..have.1], false);
            assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
            last = now;
        }
    }
}
