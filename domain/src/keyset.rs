//! Pages by keyset: a cursor says which item a page ended with, so that none comes twice or is missed while others come
//! and go.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// The most items of one page.
pub const MOST: i64 = 100;
/// Longer ones are not ours.
const LONGEST: usize = 1_000;

/// One page, and where the next begins; none on the last.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

/// What a page is asked for: how many, and after what.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Where the last page ended; one that another list made is ignored.
    pub cursor: Option<String>,
    /// 1 to [`MOST`].
    pub limit: i64,
}

impl Wanted {
    /// The place that the cursor names.
    pub(crate) fn place<P: DeserializeOwned>(&self) -> Option<P> {
        let text = self
            .cursor
            .as_deref()
            .filter(|text| text.len() <= LONGEST)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// How many rows to read: one more than are shown, which tells whether there is another page.
    pub(crate) fn rows(&self) -> i64 {
        self.limit.clamp(1, MOST) + 1
    }

    /// The page that these rows make; `place` says where an item is.
    pub(crate) fn page<T, P: Serialize>(
        &self,
        mut rows: Vec<T>,
        place: impl Fn(&T) -> P,
    ) -> Page<T> {
        let most = usize::try_from(self.rows() - 1).unwrap_or(1);
        let more = rows.len() > most;
        rows.truncate(most);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .and_then(|last| serde_json::to_vec(&place(last)).ok())
            .map(|json| URL_SAFE_NO_PAD.encode(json));
        Page {
            items: rows,
            next_cursor,
        }
    }
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_the_next_page_and_the_last_has_none() {
        let all: Vec<i64> = (0..5).collect();
        let mut wanted = Wanted {
            cursor: None,
            limit: 2,
        };
        let mut seen = Vec::new();
        loop {
            let after = wanted.place::<i64>().unwrap_or(-1);
            let rows = all
                .iter()
                .copied()
                .filter(|n| *n > after)
                .take(wanted.rows() as usize);
            let page = wanted.page(rows.collect(), |n| *n);
            seen.extend(page.items);
            match page.next_cursor {
                Some(cursor) => wanted.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_foreign_cursor_is_no_place() {
        for text in ["", "x", "bnVsbA", &"A".repeat(2_000)] {
            let wanted = Wanted {
                cursor: Some(text.to_owned()),
                limit: 1,
            };
            assert_eq!(wanted.place::<i64>(), None, "{text}");
        }
    }
}
