//! The job graph of one generation: {poster, audio, chunks} -> package -> publish, and beside it, remux and storyboard. Whole after
//! the probe, and without what is there already when a failed video goes on. When MediaConvert makes the ladder, submit ->
//! poll -> register stand in the place of poster, audio and chunks.

use millrace_domain::{
    ids::VideoId,
    media::{FastPath, Plan},
    videos::{Chunk, Stored, Video},
};
use millrace_queue::NewJob;

use crate::{
    Job,
    kinds::{
        EncodeAudio, EncodeChunk, MediaconvertPoll, MediaconvertRegister, MediaconvertSubmit,
        Package, Poster, Publish, Remux, Storyboard, VideoFailed,
    },
    plan::{Decided, Encoder, group},
};

/// The jobs that make a generation.
pub(crate) struct Pipeline {
    remux: Option<NewJob>,
    poster: Option<NewJob>,
    storyboard: Option<NewJob>,
    audio: Option<NewJob>,
    /// Chunks by their numbers.
    chunks: Vec<(i32, NewJob)>,
    /// What stands in the place of audio and chunks, in order.
    convert: Vec<NewJob>,
    package: NewJob,
    publish: NewJob,
}

impl Pipeline {
    /// The jobs for what `decided` asks for and `stored` lacks.
    pub(crate) fn new(video: &Video, decided: &Decided, stored: &Stored) -> Self {
        let Decided { plan, fast, .. } = decided;
        let (id, generation) = (video.id, video.generation);
        let job = |job: NewJob| of_generation(job, video);
        // Nothing waits for the copy, and its failure costs nothing. What of it is there already, it sees itself.
        let converted = decided.by == Encoder::MediaConvert;
        // Sound that comes with the ladder comes too late for segments of a copied picture.
        let path = fast
            .path
            .filter(|path| !converted || !plan.audio || *path == FastPath::Mp4);
        let remux = path.map(|_| {
            NewJob::new(&Remux {
                video: id,
                generation,
            })
            .owner(video.user_id.0)
            .group(group(id, generation))
        });
        // Another source has another picture, unless its owner chose one.
        let replaced = video.played.is_some() && video.thumbnail_id.is_none();
        let wants_poster = video.thumbnail_key.is_none() || replaced;
        // MediaConvert takes pictures of pictures only.
        let wants_poster = wants_poster && (!converted || decided.probe.video.is_none());
        // Its failure costs a picture, not the video.
        let poster = wants_poster.then(|| {
            NewJob::new(&Poster {
                video: id,
                generation,
            })
            .owner(video.user_id.0)
            .group(group(id, generation))
        });
        // Nothing waits for it either. What is there already, it sees itself.
        let storyboard = decided.probe.video.is_some().then(|| {
            NewJob::new(&Storyboard {
                video: id,
                generation,
            })
            .owner(video.user_id.0)
            .group(group(id, generation))
        });
        let lacks_audio = plan.audio && !stored.has("audio", 0, plan.grid.segment_count());
        let audio = (lacks_audio && !converted).then(|| {
            // A copied picture waits for its sound; without one, the first chunk is what people wait for.
            let copied = fast.path == Some(FastPath::Hls);
            let priority = if copied {
                EncodeAudio::BESIDE_COPY
            } else {
                EncodeAudio::PRIORITY
            };
            let audio = EncodeAudio {
                video: id,
                generation,
            };
            job(NewJob::new(&audio).priority(priority))
        });
        let lacks_chunk = |first, count| {
            let lacks = |name| !stored.has(name, first, count);
            plan.ladder
                .iter()
                .any(|rung| lacks(rung.rendition.as_str()))
        };
        let chunks: Vec<(i32, NewJob)> = plan
            .chunks
            .iter()
            .filter(|c| !converted && lacks_chunk(c.first_segment, c.segments))
            .map(|c| (c.chunk, job(chunk(id, generation, c.chunk))))
            .collect();
        let lacks_any = lacks_audio || lacks_chunk(0, plan.grid.segment_count());
        let convert = if converted && lacks_any {
            conversion(id, generation).into_iter().map(job).collect()
        } else {
            Vec::new()
        };
        let encoded: Vec<_> = chunks
            .iter()
            .map(|(_, job)| job)
            .chain(&audio)
            .chain(convert.last())
            .map(NewJob::id)
            .collect();
        let package = job(NewJob::new(&Package {
            video: id,
            generation,
        }))
        .after(&encoded);
        let mut publish = job(NewJob::new(&Publish {
            video: id,
            generation,
        }))
        .after(&[package.id()]);
        if let Some(poster) = &poster {
            publish = publish.after_any_outcome(&[poster.id()]);
        }
        Self {
            remux,
            poster,
            storyboard,
            audio,
            chunks,
            convert,
            package,
            publish,
        }
    }

    /// The rows of the chunks that it encodes.
    pub(crate) fn chunk_rows(&self, plan: &Plan) -> Vec<Chunk> {
        let job_of = |chunk| {
            self.chunks
                .iter()
                .find(|(c, _)| *c == chunk)
                .map(|(_, job)| job.id().0)
        };
        plan.chunks
            .iter()
            .filter_map(|c| {
                Some(Chunk {
                    chunk: c.chunk,
                    first_frame: c.first_frame,
                    frames: c.frames,
                    first_segment: c.first_segment,
                    segments: c.segments,
                    job: job_of(c.chunk)?,
                })
            })
            .collect()
    }

    /// All of them, to be enqueued at once.
    pub(crate) fn into_jobs(self) -> Vec<NewJob> {
        self.chunks
            .into_iter()
            .map(|(_, job)| job)
            .chain(self.audio)
            .chain(self.convert)
            .chain(self.remux)
            .chain(self.poster)
            .chain(self.storyboard)
            .chain([self.package, self.publish])
            .collect()
    }
}

/// The way by MediaConvert.
fn conversion(video: VideoId, generation: i32) -> Vec<NewJob> {
    NewJob::chain([
        NewJob::new(&MediaconvertSubmit { video, generation }),
        NewJob::new(&MediaconvertPoll { video, generation }),
        NewJob::new(&MediaconvertRegister { video, generation }),
    ])
}

fn chunk(video: VideoId, generation: i32, chunk: i32) -> NewJob {
    // The first chunk is what people wait for; it goes before the later chunks of everybody.
    let priority = if chunk == 0 {
        EncodeChunk::FIRST
    } else {
        EncodeChunk::PRIORITY
    };
    NewJob::new(&EncodeChunk {
        video,
        generation,
        chunk,
    })
    .priority(priority)
}

/// What every job of a generation has in common: its owner, its group, and that its failure fails the video.
pub(crate) fn of_generation(job: NewJob, video: &Video) -> NewJob {
    job.owner(video.user_id.0)
        .group(group(video.id, video.generation))
        .on_failure(VideoFailed::of(video).job(video.user_id))
}
