//! The invoice of an order: one page of PDF, in the payer's language.
//!
//! By pdf-writer, which writes the format and decides nothing. Latin is set in Helvetica, which every reader of PDF
//! brings along, everything else in the standard CJK font of the reader (Adobe-CNS1, `UniCNS-UTF16-H`), so that no font of
//! many megabytes has to be shipped or found. What such a font lacks (emoji) is shown as a box there; the text itself
//! stays whole.

/// Where things stand on the page.
mod page;
/// Text in the fonts of the page.
mod text;

use chrono::{DateTime, Utc};

use crate::email::Language;

/// What an invoice says. Amounts are texts already: who makes it knows how they are written.
#[derive(Debug, Clone)]
pub struct Invoice {
    /// The order's id.
    pub number: String,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
    /// Who sold it; none when the account is gone.
    pub seller: Option<String>,
    /// Who paid; none when the account is gone.
    pub payer: Option<String>,
    pub title: String,
    /// What kind of thing it is: one word in the language of the invoice.
    pub item: &'static str,
    pub amount: String,
    /// What was given back, if anything was, and what is left then.
    pub refunded: Option<Refunded>,
    pub language: Language,
    /// Where the order can be looked at.
    pub url: String,
}

/// What was given back of an order.
#[derive(Debug, Clone)]
pub struct Refunded {
    pub amount: String,
    pub left: String,
}

impl Invoice {
    /// The file.
    pub fn pdf(&self) -> Vec<u8> {
        page::draw(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(title: &str, language: Language) -> Invoice {
        Invoice {
            number: "0192b2f0-0000-7000-8000-000000000001".into(),
            paid_at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            seller: Some("林小姐".into()),
            payer: Some("Ann (née Smith)".into()),
            title: title.into(),
            item: language.pick("影片", "Video"),
            amount: "NT$99".into(),
            refunded: Some(Refunded {
                amount: "NT$40".into(),
                left: "NT$59".into(),
            }),
            language,
            url: "https://example.org/payments/1".into(),
        }
    }

    /// Every text of the page, as the operators of its content show it.
    fn shown(pdf: &[u8]) -> String {
        String::from_utf8_lossy(pdf).into_owned()
    }

    #[test]
    fn a_file_begins_and_ends_as_pdf_does() {
        let pdf = invoice("A walk (1)", Language::En).pdf();
        assert!(pdf.starts_with(b"%PDF-1."));
        assert!(pdf.trim_ascii_end().ends_with(b"%%EOF"));
        let text = shown(&pdf);
        assert!(text.contains("Invoice"));
        // Parentheses end strings in PDF.
        assert!(text.contains("A walk \\(1\\)") || text.contains("A walk (1)"));
    }

    #[test]
    fn a_long_title_takes_several_lines_and_stays_on_the_page() {
        let long = "長".repeat(200);
        let pdf = invoice(&long, Language::ZhTw).pdf();
        assert!(
            shown(&pdf).matches("Tj").count()
                > shown(&invoice("長", Language::ZhTw).pdf())
                    .matches("Tj")
                    .count()
                    + 3
        );
    }
}
