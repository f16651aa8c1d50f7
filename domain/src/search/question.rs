//! What somebody typed, as the index wants it.

use unicode_normalization::UnicodeNormalization as _;

/// Characters of a question.
pub const LONGEST: usize = 200;

/// A question to `search_question` of the database, which documents are written for in `search_grams`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// As web searches are written.
    pub(super) words: String,
    /// Single characters of Chinese, Japanese or Korean: what begins with them.
    pub(super) starts: String,
}

/// What is typed alike is the same: full width and half, composed and not.
pub(super) fn normal(text: &str) -> String {
    let one: String = text.nfkc().collect();
    one.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether words are not separated in the script of this character. The same as in `search_grams`.
fn is_run(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3041}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}')
}

impl Question {
    /// All that was typed must be there.
    pub(super) fn all(text: &str) -> Self {
        let text = normal(text);
        if !text.chars().any(is_run) {
            return Self {
                words: text,
                starts: String::new(),
            };
        }
        let mut question = Self::default();
        for piece in pieces(&text) {
            match piece {
                Piece::Other(other) => question.words.push_str(&other),
                Piece::Run { without, pairs, .. } if !pairs.is_empty() => {
                    for pair in pairs {
                        question.words.push_str(if without { " -" } else { " " });
                        question.words.push_str(&pair);
                    }
                    question.words.push(' ');
                }
                Piece::Run {
                    without: false,
                    first,
                    ..
                } => {
                    if !question.starts.is_empty() {
                        question.starts.push_str(" & ");
                    }
                    question.starts.push('\'');
                    question.starts.push(first);
                    question.starts.push_str("':*");
                }
                Piece::Run { .. } => {}
            }
        }
        question.words = question
            .words
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        question
    }

    /// Any of the words will do. None if there is but one, and for who says what they do not want: they know what they do.
    pub(super) fn any(text: &str) -> Option<Self> {
        let text = normal(text);
        if text.split_whitespace().any(|word| word.starts_with('-')) {
            return None;
        }
        let mut words = Vec::new();
        for piece in pieces(&text) {
            match piece {
                Piece::Run { pairs, .. } => words.extend(pairs),
                Piece::Other(other) => words.extend(latin(&other)),
            }
        }
        (words.len() > 1).then(|| Self {
            words: words.join(" or "),
            starts: String::new(),
        })
    }
}

/// The words of letters that may be misspelt, in lower case.
pub(super) fn spelt(text: &str) -> Vec<String> {
    let mut words: Vec<String> = pieces(&normal(text))
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Other(other) => Some(latin(&other)),
            Piece::Run { .. } => None,
        })
        .flatten()
        .filter(|word| word.chars().count() >= 4 && word.chars().all(char::is_alphabetic))
        .collect();
    words.sort();
    words.dedup();
    words
}

/// The last run of characters that are not separated, if the text ends with two of them or more.
pub(super) fn last_run(text: &str) -> Option<String> {
    let last: Vec<char> = text.chars().rev().take_while(|c| is_run(*c)).collect();
    (last.len() >= 2).then(|| last.into_iter().rev().collect())
}

fn latin(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| word != "or")
        .collect()
}

enum Piece {
    Other(String),
    Run {
        /// A minus stands before it.
        without: bool,
        first: char,
        pairs: Vec<String>,
    },
}

/// Runs, and what is between them. Quotes mean nothing where there are runs: pairs are not kept in their order.
fn pieces(text: &str) -> Vec<Piece> {
    let runs = text.chars().any(is_run);
    let chars: Vec<char> = text.chars().filter(|c| !(runs && *c == '"')).collect();
    let mut pieces = Vec::new();
    for part in chars.chunk_by(|a, b| is_run(*a) == is_run(*b)) {
        let Some(first) = part.first().copied().filter(|c| is_run(*c)) else {
            pieces.push(Piece::Other(part.iter().collect()));
            continue;
        };
        let mut without = false;
        if let Some(Piece::Other(before)) = pieces.last_mut() {
            without = before == "-" || before.ends_with(" -");
            if without {
                before.pop();
            }
        }
        let pairs = part.windows(2).map(|pair| pair.iter().collect()).collect();
        pieces.push(Piece::Run {
            without,
            first,
            pairs,
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (String, String) {
        let question = Question::all(text);
        (question.words, question.starts)
    }

    #[test]
    fn words_of_alphabets_are_left_to_the_database() {
        assert_eq!(
            all("  \"night  market\" -loud or  calm"),
            ("\"night market\" -loud or calm".into(), String::new())
        );
    }

    #[test]
    fn runs_become_pairs_and_single_characters_beginnings() {
        assert_eq!(all("台北夜市"), ("台北 北夜 夜市".into(), String::new()));
        assert_eq!(
            all("iPhone開箱 夜 -小吃"),
            ("iPhone 開箱 -小吃".into(), "'夜':*".into())
        );
        assert_eq!(all("\"夜市\" ＡＢＣ"), ("夜市 ABC".into(), String::new()));
    }

    #[test]
    fn any_needs_two() {
        assert_eq!(Question::any("夜市"), None);
        assert_eq!(Question::any("food market -loud"), None);
        assert_eq!(
            Question::any("夜市場 food").unwrap().words,
            "夜市 or 市場 or food"
        );
    }

    #[test]
    fn short_words_and_numbers_are_not_misspelt() {
        assert_eq!(
            spelt("the Skatebord trick 2024 夜市"),
            ["skatebord", "trick"]
        );
        assert_eq!(last_run("see 夜市").as_deref(), Some("夜市"));
        assert_eq!(last_run("夜市 see"), None);
        assert_eq!(last_run("夜"), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_makes_a_question(text in "\\PC{0,60}") {
            let question = Question::all(&text);
            proptest::prop_assert!(!question.starts.contains("''"));
            let _ = (Question::any(&text), spelt(&text), last_run(&text));
        }
    }
}
