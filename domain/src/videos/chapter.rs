//! Chapters: those that the owner listed, or else those that the description tells by time stamps.

use sqlx::{PgConnection, PgExecutor};

use crate::ids::VideoId;

/// Chapters of a video.
pub const MOST_CHAPTERS: usize = 100;
/// Fewer time stamps than this are mentions of moments.
const FEWEST: usize = 3;
/// Seconds of a chapter that is one.
const SHORTEST: i32 = 10;
/// Characters of a title.
const LONGEST: usize = 100;

/// A part of a video with a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// Seconds.
    pub start: i32,
    pub title: String,
}

/// The chapters that the owner listed.
///
/// # Errors
/// Those of the statement.
pub async fn listed_chapters(
    db: impl PgExecutor<'_>,
    video: VideoId,
) -> Result<Vec<Chapter>, sqlx::Error> {
    sqlx::query_as!(
        Chapter,
        "select start_s as start, title from video_chapters where video_id = $1 order by start_s",
        video.0,
    )
    .fetch_all(db)
    .await
}

/// Puts these chapters in place of all others. None: the description tells them again.
///
/// # Errors
/// Those of the statements.
pub async fn set_chapters(
    conn: &mut PgConnection,
    video: VideoId,
    chapters: &[Chapter],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from video_chapters where video_id = $1", video.0)
        .execute(&mut *conn)
        .await?;
    let starts: Vec<i32> = chapters.iter().map(|c| c.start).collect();
    let titles: Vec<String> = chapters.iter().map(|c| c.title.clone()).collect();
    sqlx::query!(
        "insert into video_chapters (video_id, start_s, title)
         select $1, start_s, title from unnest($2::int[], $3::text[]) as c (start_s, title)",
        video.0,
        &starts,
        &titles,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The chapters that a description tells, by the rules that people know: a line for each, with its time before or after
/// its title, from 0:00 on, in order, at least three, at least ten seconds each. Anything else tells none.
pub fn told_chapters(description: &str, duration: Option<f64>) -> Vec<Chapter> {
    let chapters: Vec<Chapter> = description.lines().filter_map(told).collect();
    let long = |pair: &[Chapter]| pair[1].start >= pair[0].start + SHORTEST;
    let last = chapters.last().map_or(0, |c| c.start);
    let sound = chapters.len() >= FEWEST
        && chapters.len() <= MOST_CHAPTERS
        && chapters[0].start == 0
        && chapters.windows(2).all(long)
        && duration.is_none_or(|seconds| f64::from(last) < seconds);
    if sound { chapters } else { Vec::new() }
}

fn told(line: &str) -> Option<Chapter> {
    let trim = |text: &str| {
        let edge = |c: char| {
            c.is_whitespace()
                || matches!(
                    c,
                    '-' | '–' | '—' | ':' | '|' | '(' | ')' | '[' | ']' | '•' | '*' | '·'
                )
        };
        text.trim_matches(edge)
            .chars()
            .take(LONGEST)
            .collect::<String>()
    };
    let line = line.trim();
    let bracket = |word: &str| word.trim_matches(['(', ')', '[', ']', '-', '–']).to_owned();
    let (first, rest) = line.split_once(char::is_whitespace)?;
    let found = match seconds(&bracket(first)) {
        Some(start) => Some((start, trim(rest))),
        None => {
            let (rest, last) = line.rsplit_once(char::is_whitespace)?;
            seconds(&bracket(last)).map(|start| (start, trim(rest)))
        }
    };
    found
        .filter(|(_, title)| !title.is_empty())
        .map(|(start, title)| Chapter { start, title })
}

/// `1:02:03` or `4:05`.
fn seconds(word: &str) -> Option<i32> {
    let parts: Vec<&str> = word.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let mut all = 0;
    for (at, part) in parts.iter().enumerate() {
        let digits = part.bytes().all(|c| c.is_ascii_digit());
        if part.is_empty() || part.len() > 2 || !digits || (at > 0 && part.len() != 2) {
            return None;
        }
        let value: i32 = part.parse().ok()?;
        if at > 0 && value > 59 {
            return None;
        }
        all = all * 60 + value;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(text: &str) -> Vec<(i32, String)> {
        let chapters = told_chapters(text, Some(7200.0));
        chapters.into_iter().map(|c| (c.start, c.title)).collect()
    }

    #[test]
    fn a_description_tells_chapters() {
        let text = "My trip.\n\n0:00 Start\n(1:30) - 台北 Taipei\nThe night market – 12:05\n1:02:03 | End\nhttps://example.org";
        assert_eq!(
            told_of(text),
            [
                (0, "Start"),
                (90, "台北 Taipei"),
                (725, "The night market"),
                (3723, "End")
            ]
            .map(|(s, t)| (s, t.to_owned()))
        );
    }

    #[test]
    fn mentions_of_moments_are_no_chapters() {
        for text in [
            "",
            "0:00 Start\n1:30 Middle",
            "0:10 Start\n1:30 Middle\n2:00 End",
            "0:00 Start\n0:05 Too soon\n2:00 End",
            "0:00 Start\n2:00 Later\n1:00 Earlier",
            "0:00 Start\n1:75 No time\n1:99 Neither",
            "0:00 a\n1:00 b\n23:00:00 after the end",
        ] {
            assert_eq!(told_of(text), [], "{text}");
        }
    }
}
