//! Videos: the record, what the pipeline made of it, and what people see of it while it is being made.

/// Changes of many at once.
mod bulk;
/// The parts of a video.
mod chapter;
/// Copies that are watched while the ladder is made.
mod copy;
/// What a generation consists of: renditions and chunks, decided by probe.
mod generation;
/// Tags.
mod label;
/// Who is told of a change, and on which topics.
mod news;
/// What a player's requests need.
mod playback;
/// What plays while another source is being processed.
mod played;
/// How far a video is, never backwards.
mod progress;
/// The row and its changes.
mod record;
/// What a video leaves in the store.
mod remains;
/// Trying again.
mod rounds;
/// Lists, newest first, by keyset.
mod search;
/// Closed segments: the pipeline's durable memory and the playlists' only source.
mod segment;
/// The words that a video's columns use.
mod state;
/// What is watched of a video, and when.
mod statistics;
/// The sprites that a seek bar shows.
mod storyboard;
/// Pictures that may stand for a video.
mod thumbnail;
/// The trash, and publishing at a time.
mod trash;

pub use bulk::{BulkChange, BulkEdit};
pub use chapter::{Chapter, MOST_CHAPTERS, listed_chapters, set_chapters, told_chapters};
pub use copy::{
    NewSource, SOURCE, Source, begin_source, drop_copies, note_fast, set_file, source,
    with_old_copies,
};
pub use generation::{
    Chunk, Grid, NewGeneration, Quality, Rendition, qualities, qualities_of, reassign_chunks,
    save_generation, set_frame_count, set_measured,
};
pub use label::{LONGEST_TAG, MOST_TAGS, tag, tags};
pub use news::{topic_of_user, topic_of_video, video_changed, video_deleted};
pub use playback::{Entitlement, segment_key};
pub use played::{NewSourceFile, Played, drop_replacement, replace, switch};
pub use progress::{PartProgress, record_progress, whole_work};
pub use record::{Changes, NewVideo, Video};
pub use remains::{doom, forget_doomed};
pub use search::{Filter, Page, Sort, list};
pub use segment::{
    NewSegment, Segment, Stored, Window, init_key, insert_segment, leading_segments, mark_playable,
    segments, segments_of_chunk, window,
};
pub use state::{Category, Stage, Status, Stream, ThumbnailStatus, Visibility};
pub use statistics::{Beacon, Day, PARTS, days_of, note_beacon, parts_of, sum_up, totals_of};
pub use storyboard::{StoredBoard, board, save_board};
pub use thumbnail::{Begun, MOST_BYTES, Thumbnail};
pub use trash::{KEPT_IN_TRASH, past_trash, publish_scheduled, restore, set_schedule, trash};
