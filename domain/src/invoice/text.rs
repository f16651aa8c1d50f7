//! Text in two fonts: what Latin-1 has in one, everything else in the other.

use pdf_writer::{Content, Name, Str};

/// Helvetica, by the standard.
pub(super) const LATIN: Name<'static> = Name(b"F1");
/// The reader's font for Chinese.
pub(super) const CJK: Name<'static> = Name(b"F2");

/// A piece of a line that one font sets.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    Latin(Vec<u8>),
    Cjk(Vec<u8>),
}

/// Widths of Helvetica's printable ASCII, thousandths of the size, from Adobe's metrics of the standard fonts.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Shows a line whose left end, or with `right` whose right end, is at `x`.
pub(super) fn show(content: &mut Content, line: &str, size: f32, x: f32, y: f32, right: bool) {
    let x = if right { x - width(line, size) } else { x };
    content.begin_text();
    content.next_line(x, y);
    for run in runs(line) {
        match run {
            Run::Latin(bytes) => content.set_font(LATIN, size).show(Str(&bytes)),
            Run::Cjk(bytes) => content.set_font(CJK, size).show(Str(&bytes)),
        };
    }
    content.end_text();
}

/// Cuts a text into lines no wider than `most`: at spaces where there are any, else anywhere.
pub(super) fn wrap(text: &str, size: f32, most: f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if width(line, size) + width(word.trim_end(), size) <= most {
            line.push_str(word);
            continue;
        }
        if !line.is_empty() && width(word.trim_end(), size) <= most {
            lines.push(word.to_owned());
            continue;
        }
        for letter in word.chars() {
            let line = lines.last_mut().expect("there is always a line");
            if width(line, size) + advance(letter, size) > most {
                lines.push(letter.to_string());
            } else {
                line.push(letter);
            }
        }
    }
    lines
}

fn width(text: &str, size: f32) -> f32 {
    text.chars().map(|letter| advance(letter, size)).sum()
}

fn advance(letter: char, size: f32) -> f32 {
    let thousandths = match latin(letter) {
        Some(byte @ 0x20..=0x7e) => WIDTHS[usize::from(byte - 0x20)],
        // Accented letters are about as wide as letters are.
        Some(_) => 556,
        None => 1_000,
    };
    f32::from(thousandths) * size / 1_000.0
}

/// The letter in WinAnsi, as far as that is Latin-1.
fn latin(letter: char) -> Option<u8> {
    match u32::from(letter) {
        code @ (0x20..=0x7e | 0xa1..=0xff) => u8::try_from(code).ok(),
        _ => None,
    }
}

fn runs(line: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    // A control character has no glyph anywhere, and a zero byte would end strings in some readers.
    for letter in line.chars().filter(|letter| !letter.is_control()) {
        match (latin(letter), runs.last_mut()) {
            (Some(byte), Some(Run::Latin(bytes))) => bytes.push(byte),
            (Some(byte), _) => runs.push(Run::Latin(vec![byte])),
            (None, Some(Run::Cjk(bytes))) => push_utf16(bytes, letter),
            (None, _) => {
                let mut bytes = Vec::new();
                push_utf16(&mut bytes, letter);
                runs.push(Run::Cjk(bytes));
            }
        }
    }
    runs
}

fn push_utf16(bytes: &mut Vec<u8>, letter: char) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        bytes.extend(unit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_font_gets_what_it_has() {
        assert_eq!(
            runs("a中b\u{0}"),
            [
                Run::Latin(b"a".to_vec()),
                Run::Cjk(vec![0x4e, 0x2d]),
                Run::Latin(b"b".to_vec())
            ]
        );
        // Outside the basic plane: two units.
        assert_eq!(runs("𠀀"), [Run::Cjk(vec![0xd8, 0x40, 0xdc, 0x00])]);
    }

    #[test]
    fn lines_are_no_wider_than_they_may_be_and_nothing_is_lost() {
        for text in [
            "one two three four five",
            "長長長長長長長長長",
            "supercalifragilistic",
            "",
        ] {
            let lines = wrap(text, 10.0, 60.0);
            assert!(
                lines
                    .iter()
                    .all(|line| width(line.trim_end(), 10.0) <= 60.0),
                "{lines:?}"
            );
            assert_eq!(lines.concat(), text);
        }
    }
}
