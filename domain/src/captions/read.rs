//! Reading WebVTT and SubRip. A parser of ours, because what exists for Rust reads what is right and says of the rest
//! that it is wrong, but not where; and the format is a page.

use super::{CaptionError, Cue, Fault};

/// Bytes of a file: two hours of speech are some 150 KB.
pub const MOST_BYTES: usize = 1024 * 1024;
/// Captions of a file.
pub const MOST_CUES: usize = 10_000;
/// Characters of one caption.
const MOST_TEXT: usize = 2_000;
/// Milliseconds of a week.
const WEEK: i64 = 7 * 24 * 3_600_000;
/// WebVTT's own tags. Browsers know no others, and what else looks like one is text.
const TAGS: [&str; 8] = ["b", "i", "u", "c", "v", "lang", "ruby", "rt"];
/// Settings that place a caption.
const SETTINGS: [&str; 4] = ["line:", "position:", "align:", "size:"];

/// The captions of a WebVTT or SubRip file, told apart by its first line.
///
/// # Errors
/// The first thing that is wrong, and its line.
pub fn read(file: &str) -> Result<Vec<Cue>, CaptionError> {
    if file.len() > MOST_BYTES {
        return Err(CaptionError::whole(Fault::TooLarge));
    }
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let file = file.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = file.split('\n').collect();
    let binary = |line: &&str| line.chars().any(|c| c.is_control() && c != '\t');
    if let Some(at) = lines.iter().position(binary) {
        return Err(CaptionError::at(Fault::Binary, at + 1));
    }
    let first = lines.iter().position(|line| !line.trim().is_empty());
    let Some(first) = first else {
        return Err(CaptionError::whole(Fault::Empty));
    };
    let head = lines[first];
    let vtt = head == "WEBVTT" || head.starts_with("WEBVTT ") || head.starts_with("WEBVTT\t");
    let srt = head.trim().bytes().all(|c| c.is_ascii_digit()) || head.contains("-->");
    if !vtt && !srt {
        return Err(CaptionError::at(Fault::Unknown, first + 1));
    }
    let mut cues = Vec::new();
    let mut blocks = Blocks {
        lines: &lines,
        at: first,
    };
    if vtt {
        blocks.next(); // The header, and what is said below it.
    }
    while let Some((start, block)) = blocks.next() {
        if vtt && is_aside(block[0]) {
            continue;
        }
        cues.push(cue(start, block)?);
        if cues.len() > MOST_CUES {
            return Err(CaptionError::at(Fault::TooMany, start + 1));
        }
    }
    if cues.is_empty() {
        return Err(CaptionError::whole(Fault::Empty));
    }
    Ok(cues)
}

/// Comments, style sheets and regions: nothing that is shown, and nothing that we keep.
fn is_aside(line: &str) -> bool {
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    matches!(word, "NOTE") || matches!(line.trim(), "STYLE" | "REGION")
}

/// Groups of lines between empty ones, each with the number of its first line from 0.
struct Blocks<'a> {
    lines: &'a [&'a str],
    at: usize,
}

impl<'a> Blocks<'a> {
    fn next(&mut self) -> Option<(usize, &'a [&'a str])> {
        let full = |line: &&str| !line.trim().is_empty();
        let start = self.at + self.lines.get(self.at..)?.iter().position(full)?;
        let rest = &self.lines[start..];
        let length = rest
            .iter()
            .position(|line| !full(line))
            .unwrap_or(rest.len());
        self.at = start + length;
        Some((start, &rest[..length]))
    }
}

fn cue(start: usize, block: &[&str]) -> Result<Cue, CaptionError> {
    // A line before the times is its name or number.
    let at = block.iter().take(2).position(|line| line.contains("-->"));
    let Some(at) = at else {
        return Err(CaptionError::at(Fault::NoTimes, start + 1));
    };
    let line = start + at + 1;
    let (from, rest) = block[at].split_once("-->").unwrap_or_default();
    let mut words = rest.split_whitespace();
    let times = millis(from.trim()).zip(words.next().and_then(millis));
    let (from, to) = times.ok_or(CaptionError::at(Fault::BadTimes, line))?;
    if to <= from {
        return Err(CaptionError::at(Fault::Backwards, line));
    }
    if from > WEEK {
        return Err(CaptionError::at(Fault::TooLate, line));
    }
    let known = |word: &&str| {
        SETTINGS.iter().any(|name| word.starts_with(name))
            && word
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b":.,%-".contains(&c))
    };
    let settings: Vec<&str> = words.filter(known).collect();
    let text: Vec<String> = block[at + 1..].iter().map(|line| plain(line)).collect();
    let text = text.join("\n");
    if text.chars().count() > MOST_TEXT {
        return Err(CaptionError::at(Fault::TooLong, line + 1));
    }
    Ok(Cue {
        from,
        to: to.min(from + WEEK),
        settings: settings.join(" "),
        text,
    })
}

/// `1:02:03.456`, `02:03.456`, or with SubRip's comma.
fn millis(time: &str) -> Option<i64> {
    let (clock, fraction) = time.split_once(['.', ',']).unwrap_or((time, "0"));
    let digits = |text: &str, most: usize| {
        let fine =
            !text.is_empty() && text.len() <= most && text.bytes().all(|c| c.is_ascii_digit());
        fine.then(|| text.parse::<i64>().ok()).flatten()
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [h, m, s] => (digits(h, 4)?, digits(m, 2)?, digits(s, 2)?),
        [m, s] => (0, digits(m, 2)?, digits(s, 2)?),
        _ => return None,
    };
    let millis = format!("{fraction:0<3}");
    let millis = digits(millis.get(..3)?, 3)?;
    digits(fraction, 9)?;
    (minutes < 60 && seconds < 60)
        .then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

/// A line with WebVTT's own tags and without others (`<font …>`, SubRip's `{\an8}`); what only looks like a tag, or
/// like the arrow of times, is written so that it stays text.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim_end();
    if rest.starts_with("{\\") {
        rest = rest.split_once('}').map_or(rest, |(_, after)| after);
    }
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        match after.split_once('>') {
            Some((tag, tail)) if is_tag(tag) => {
                out.push_str(&format!("<{tag}>"));
                rest = tail;
            }
            Some((tag, tail)) if looks_like_markup(tag) => rest = tail,
            _ => {
                out.push_str("&lt;");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.replace("-->", "--&gt;")
}

fn is_tag(tag: &str) -> bool {
    let name = tag.trim_start_matches('/');
    let name = name.split([' ', '.', '\t']).next().unwrap_or_default();
    TAGS.contains(&name) || (!tag.is_empty() && millis(tag).is_some())
}

fn looks_like_markup(tag: &str) -> bool {
    let name = tag.trim_start_matches('/');
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::render, *};

    fn fault(file: &str) -> (Fault, Option<usize>) {
        let error = read(file).expect_err(file);
        (error.fault, error.line)
    }

    #[test]
    fn webvtt_is_read_with_its_oddities() {
        let file = "\u{feff}WEBVTT - made by hand\r\nKind: captions\r\n\r\nNOTE\r\nnothing\r\n\r\nSTYLE\r\n::cue{}\r\n\r\n\
                    intro\r\n00:01.500 --> 00:00:03.000 line:0 evil:x align:start\r\n<v Ann>Hello</v> <script>x</script>\r\n2 < 3\r\n";
        let cues = read(file).unwrap();
        assert_eq!(cues.len(), 1);
        assert_eq!((cues[0].from, cues[0].to), (1500, 3000));
        assert_eq!(cues[0].settings, "line:0 align:start");
        assert_eq!(cues[0].text, "<v Ann>Hello</v> x\n2 &lt; 3");
    }

    #[test]
    fn subrip_becomes_webvtt() {
        let file = "1\n00:00:01,000 --> 00:00:02,500\n{\\an8}<font color=\"red\">Guten</font> <i>Tag</i>\n\n2\n00:00:00,000 --> 00:00:01,000\n你好\n";
        assert_eq!(
            render(&read(file).unwrap()),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n你好\n\n00:00:01.000 --> 00:00:02.500\nGuten <i>Tag</i>\n"
        );
    }

    #[test]
    fn faults_name_their_line() {
        assert_eq!(fault(""), (Fault::Empty, None));
        assert_eq!(fault("WEBVTT\n"), (Fault::Empty, None));
        assert_eq!(fault("\n<html>\n"), (Fault::Unknown, Some(2)));
        assert_eq!(
            fault("WEBVTT\n\nHello\nthere\nyou\n"),
            (Fault::NoTimes, Some(3))
        );
        assert_eq!(
            fault("WEBVTT\n\n00:01 --> soon\nx"),
            (Fault::BadTimes, Some(3))
        );
        assert_eq!(
            fault("WEBVTT\n\n00:61.000 --> 00:62.000\nx"),
            (Fault::BadTimes, Some(3))
        );
        assert_eq!(
            fault("WEBVTT\n\na\n00:05.000 --> 00:04.000\nx"),
            (Fault::Backwards, Some(4))
        );
        assert_eq!(
            fault("WEBVTT\n\n999:00:05.000 --> 999:00:06.000\nx"),
            (Fault::TooLate, Some(3))
        );
        assert_eq!(fault("WEBVTT\n\n\u{0}"), (Fault::Binary, Some(3)));
        let long = format!("WEBVTT\n\n00:01.000 --> 00:02.000\n{}", "x".repeat(2001));
        assert_eq!(fault(&long), (Fault::TooLong, Some(4)));
        let many = format!(
            "WEBVTT\n\n{}",
            "00:01.000 --> 00:02.000\nx\n\n".repeat(10_001)
        );
        assert_eq!(fault(&many).0, Fault::TooMany);
        assert_eq!(fault(&"x".repeat(MOST_BYTES + 1)), (Fault::TooLarge, None));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_reads_the_same(file in "(WEBVTT\n\n)?([ -~\n]|00:0[0-9].000 --> 00:1[0-9],5\n|<[a-z/]{1,4}>|你){0,60}") {
            if let Ok(cues) = read(&file) {
                let text = render(&cues);
                let again = read(&text).unwrap();
                prop_assert_eq!(render(&again), text);
                prop_assert_eq!(again.len(), cues.len());
            }
        }
    }
}
