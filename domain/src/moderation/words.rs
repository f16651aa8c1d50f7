//! The word list: what comments are refused or held for.
//!
//! A word matches as a whole, and where people write without spaces, anywhere: the ends of a match must not cut a run of
//! letters of a script with spaces. Capitals, widths and invisible characters make no difference.

use aho_corasick::AhoCorasick;
use caseless::Caseless as _;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use unicode_normalization::UnicodeNormalization as _;

use crate::ids::{UserId, WordId};

/// The most characters of a word.
pub const LONGEST_WORD: usize = 100;
/// The most words of the list: it is remembered by every process, and shown on one page.
pub const MOST_WORDS: i64 = 2_000;

/// What a word does to a comment.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = WordMode)]
pub enum WordMode {
    /// Only its author sees it until staff have read it.
    Hold,
    /// It is not taken.
    Refuse,
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CommentWord)]
pub struct Word {
    pub id: WordId,
    /// As it was typed.
    pub text: String,
    pub mode: WordMode,
}

/// The whole list, ready to compare with.
#[derive(Debug)]
pub struct WordList {
    finder: AhoCorasick,
    modes: Vec<WordMode>,
}

impl WordMode {
    /// The word of the column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Refuse => "refuse",
        }
    }
}

impl WordList {
    /// The list as it is now.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn load(db: impl PgExecutor<'_>) -> Result<Self, sqlx::Error> {
        let words = words(db).await?;
        Ok(Self::new(
            words.iter().map(|word| (word.text.as_str(), word.mode)),
        ))
    }

    /// A list of these words. One too large to be searched for finds nothing, and says so in the log.
    pub fn new<'a>(words: impl IntoIterator<Item = (&'a str, WordMode)>) -> Self {
        let (folded, modes): (Vec<String>, Vec<WordMode>) = words
            .into_iter()
            .map(|(text, mode)| (fold(text), mode))
            .filter(|(text, _)| !text.is_empty())
            .unzip();
        let (finder, modes) = match AhoCorasick::new(&folded) {
            Ok(finder) => (finder, modes),
            Err(error) => {
                tracing::error!(%error, "the word list cannot be searched for");
                let none = AhoCorasick::new(Vec::<String>::new()).expect("nothing is small enough");
                (none, Vec::new())
            }
        };
        Self { finder, modes }
    }

    /// What the list does to a comment: the strictest of its words that it holds; none if there is none.
    pub fn judge(&self, comment: &str) -> Option<WordMode> {
        let text = fold(comment);
        self.finder
            .find_overlapping_iter(&text)
            .filter(|found| whole(&text, found.start(), found.end()))
            .filter_map(|found| self.modes.get(found.pattern().as_usize()).copied())
            .max()
    }
}

/// As texts are compared.
pub fn fold(text: &str) -> String {
    let seen = text.chars().filter(|c| !invisible(*c));
    let folded = seen.nfkc().default_case_fold().nfkc();
    let mut out = String::with_capacity(text.len());
    for c in folded {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.trim().to_owned()
}

/// Whether a match cuts no word.
fn whole(text: &str, start: usize, end: usize) -> bool {
    let cuts = |before: Option<char>, after: Option<char>| {
        before.is_some_and(spaced) && after.is_some_and(spaced)
    };
    let (left, found, right) = (&text[..start], &text[start..end], &text[end..]);
    !cuts(left.chars().next_back(), found.chars().next())
        && !cuts(found.chars().next_back(), right.chars().next())
}

/// A letter or digit of a script that puts spaces between words.
fn spaced(c: char) -> bool {
    c.is_alphanumeric() && !unspaced(c)
}

/// Chinese, Japanese, Korean.
fn unspaced(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// What nobody sees, and what words are hidden with.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The words in their order.
///
/// # Errors
/// Those of the statement.
pub async fn words(db: impl PgExecutor<'_>) -> Result<Vec<Word>, sqlx::Error> {
    sqlx::query_as!(
        Word,
        r#"select id as "id: _", text, mode as "mode: _" from comment_words order by folded limit $1"#,
        MOST_WORDS,
    )
    .fetch_all(db)
    .await
}

/// Adds a word; `None` if the list has it, however it is written, or is full.
///
/// # Errors
/// Those of the statement.
pub async fn add_word(
    db: impl PgExecutor<'_>,
    text: &str,
    mode: WordMode,
    by: UserId,
) -> Result<Option<Word>, sqlx::Error> {
    let id = WordId::new();
    let done = sqlx::query!(
        "insert into comment_words (id, text, folded, mode, created_by)
         select $1, $2, $3, $4, $5 where (select count(*) from comment_words) < $6
         on conflict on constraint comment_words_folded do nothing",
        id.0,
        text,
        fold(text),
        mode.word(),
        by.0,
        MOST_WORDS,
    )
    .execute(db)
    .await?;
    Ok((done.rows_affected() == 1).then(|| Word {
        id,
        text: text.to_owned(),
        mode,
    }))
}

/// Takes a word from the list, and returns it.
///
/// # Errors
/// Those of the statement.
pub async fn remove_word(db: impl PgExecutor<'_>, id: WordId) -> Result<Option<Word>, sqlx::Error> {
    sqlx::query_as!(
        Word,
        r#"delete from comment_words where id = $1 returning id as "id: _", text, mode as "mode: _""#,
        id.0
    )
    .fetch_optional(db)
    .await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(words: &[&str], comment: &str) -> bool {
        let list = WordList::new(words.iter().map(|word| (*word, WordMode::Hold)));
        list.judge(comment).is_some()
    }

    #[test]
    fn words_match_as_a_whole_and_however_they_are_written() {
        for comment in [
            "spam",
            "SPAM!",
            "buy ｓｐａｍ now",
            "sp\u{200b}am",
            "s\u{ad}pam",
            "這是spam嗎",
            "\"spam\"",
        ] {
            assert!(judged(&["Spam"], comment), "{comment}");
        }
        for comment in ["spammer", "antispam", "spam2", "sp am", ""] {
            assert!(!judged(&["Spam"], comment), "{comment}");
        }
        assert!(judged(&["Straße"], "in der STRASSE dort"));
        assert!(judged(&["cafe\u{301}"], "Café au lait"));
        assert!(judged(&["free   money"], "FREE\nMONEY"));
        assert!(judged(&["$$$"], "only 5$$$ today"));
    }

    #[test]
    fn chinese_japanese_and_korean_match_anywhere() {
        assert!(judged(&["賭博"], "線上賭博網站"));
        assert!(judged(&["ｶｼﾞﾉ"], "無料カジノです"));
        assert!(judged(&["도박"], "온라인도박사이트"));
        assert!(judged(&["加line"], "快加LINE好友"));
        assert!(!judged(&["加line"], "加liner"), "its end is a word's");
        assert!(!judged(&["賭博"], "賭徒博士"));
    }

    #[test]
    fn the_strictest_word_decides() {
        let list = WordList::new([
            ("maybe", WordMode::Hold),
            ("never", WordMode::Refuse),
            ("never mind", WordMode::Hold),
        ]);
        assert_eq!(list.judge("maybe"), Some(WordMode::Hold));
        assert_eq!(list.judge("maybe, never mind"), Some(WordMode::Refuse));
        assert_eq!(list.judge("fine"), None);
        assert_eq!(WordList::new([]).judge("anything"), None);
    }

    proptest! {
        #[test]
        fn any_word_is_found_among_others(word in "[a-z]{1,12}|[一-龥]{1,6}", before in "[ .,一-龥]{0,8}", after in "[ .,一-龥]{0,8}") {
            let shouted = format!("{before}{}{after}", word.to_uppercase());
            prop_assert!(judged(&[&word], &shouted));
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>(), word in any::<String>()) {
            judged(&[&word], &text);
        }
    }
}
