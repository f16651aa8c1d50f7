//! The words of the mailbox page, in the language that the browser prefers.

use axum::http::{HeaderMap, header};

/// All words of one language.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub language: &'static str,
    pub mailbox: &'static str,
    pub search: &'static str,
    pub delete_all: &'static str,
    pub none_yet: &'static str,
    pub none_found: &'static str,
    pub no_subject: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub as_html: &'static str,
    pub text: &'static str,
    pub headers: &'static str,
    pub source: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    mailbox: "Mailbox",
    search: "Search",
    delete_all: "Delete all",
    none_yet: "No mail has been sent yet. What Millrace sends on this machine arrives here and goes nowhere else.",
    none_found: "No mail holds these words.",
    no_subject: "(no subject)",
    from: "from",
    to: "to",
    as_html: "The mail as HTML",
    text: "Text",
    headers: "Headers",
    source: "Source",
};

const CHINESE: Words = Words {
    language: "zh-TW",
    mailbox: "信箱",
    search: "搜尋",
    delete_all: "全部刪除",
    none_yet: "還沒有寄出任何郵件。Millrace 在這台電腦上寄出的郵件都會送到這裡，不會寄到別處。",
    none_found: "沒有包含這些字詞的郵件。",
    no_subject: "（沒有主旨）",
    from: "寄件者",
    to: "收件者",
    as_html: "HTML 格式的郵件",
    text: "純文字",
    headers: "標頭",
    source: "原始碼",
};

impl Words {
    /// Those of the best liked language that there is; English where none is.
    pub(super) fn of(headers: &HeaderMap) -> &'static Self {
        let wishes = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut best = (0.0, &ENGLISH);
        for wish in wishes.split(',') {
            let (tag, weight) = wish.split_once(";q=").unwrap_or((wish, "1"));
            let words = match tag.trim().to_ascii_lowercase().split('-').next() {
                Some("zh") => &CHINESE,
                Some("en") => &ENGLISH,
                _ => continue,
            };
            let weight = weight.trim().parse().unwrap_or(0.0_f32);
            if weight > best.0 {
                best = (weight, words);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_best_liked_language_that_there_is_wins() {
        for (wishes, language) in [
            ("", "en"),
            ("zh-TW,zh;q=0.9,en;q=0.8", "zh-TW"),
            ("en-US,en;q=0.9,zh-TW;q=0.8", "en"),
            ("de, zh;q=0.5, en;q=0.6", "en"),
            ("en;q=0.2,zh-Hant;q=0.7", "zh-TW"),
            ("fr", "en"),
            ("zh;q=x", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::ACCEPT_LANGUAGE,
                HeaderValue::from_str(wishes).unwrap(),
            );
            assert_eq!(Words::of(&headers).language, language, "{wishes}");
        }
    }
}
