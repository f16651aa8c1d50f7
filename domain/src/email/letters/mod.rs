//! The texts of all letters, in both languages: one function a letter, from plain words to a [`Letter`].

/// Letters about an account.
mod accounts;
/// Letters about what staff decided.
mod moderation;
/// Letters about what other people did.
mod people;
/// Letters about videos.
mod videos;

pub use accounts::{
    account_deleted, address_changed, change_address, export_ready, password_changed,
    reset_password, verify_address,
};
pub use moderation::{decision, lifted, rejected, reported};
pub use people::{comment, follower, published, reply};
pub use videos::{video_failed, video_ready};

use super::{Action, Language, Letter};

/// Whom a letter is for.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub name: &'a str,
    pub language: Language,
}

impl Reader<'_> {
    /// A letter that says nothing yet but a greeting.
    pub fn letter(&self, subject: impl Into<String>) -> Letter {
        Letter {
            language: self.language,
            subject: subject.into(),
            greeting: match self.language {
                Language::ZhTw => format!("{}，您好：", self.name),
                Language::En => format!("Hello {},", self.name),
            },
            paragraphs: Vec::new(),
            action: None,
            notes: Vec::new(),
            unsubscribe: None,
        }
    }
}

impl Letter {
    /// With a paragraph more.
    #[must_use]
    pub fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.paragraphs.push(text.into());
        self
    }

    /// With a button.
    #[must_use]
    pub fn action(mut self, label: &str, url: &str) -> Self {
        self.action = Some(Action {
            label: label.to_owned(),
            url: url.to_owned(),
        });
        self
    }

    /// With a note below the button.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
}

#[cfg(test)]
impl Letter {
    /// As a reader sees it: subject, text, HTML.
    fn preview(&self) -> String {
        let (text, html) = (self.text().unwrap(), self.html().unwrap());
        format!("Subject: {}\n\n{text}\n\n{html}", self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each letter in each language as a reader sees it: subject, text, HTML.
    #[test]
    fn letters_look_as_they_did() {
        for language in Language::ALL {
            let reader = Reader {
                name: "Ann",
                language,
            };
            let url = "https://millrace.example/x/0198f2c0";
            let mut ready = video_ready(&reader, "Mühlrad & Bach <1>", url);
            ready.unsubscribe = Some("https://millrace.example/unsubscribe?token=t".to_owned());
            let mut failed = video_failed(&reader, "溪邊的水車", Some("not_media"), url);
            failed.unsubscribe.clone_from(&ready.unsubscribe);
            let title = "溪邊的水車";
            let letters = [
                ("comment", comment(&reader, "bob", title, url)),
                ("reply", reply(&reader, "bob", title, url)),
                ("follower", follower(&reader, "bob", url)),
                ("published", published(&reader, "bob", title, url)),
                ("video_ready", ready),
                ("video_failed", failed),
                ("verify_address", verify_address(&reader, url, 24)),
                ("change_address", change_address(&reader, url, 24)),
                ("address_changed", address_changed(&reader)),
                ("reset_password", reset_password(&reader, url, 1)),
                ("password_changed", password_changed(&reader, url)),
                ("export_ready", export_ready(&reader, url, 7)),
                ("account_deleted", account_deleted(&reader)),
            ];
            for (name, letter) in letters {
                let preview = letter.preview();
                insta::assert_snapshot!(format!("{name}.{}", language.tag()), preview);
            }
        }
    }

    #[test]
    fn what_people_wrote_does_not_become_markup() {
        let reader = Reader {
            name: "<script>alert(1)</script>",
            language: Language::En,
        };
        let letter = video_ready(
            &reader,
            "\"><img src=x onerror=alert(1)>",
            "https://x.example/",
        );
        let html = letter.html().unwrap();
        assert!(
            !html.contains("<script") && !html.contains("<img"),
            "{html}"
        );
        let text = letter.text().unwrap();
        assert!(text.contains("<img src=x"), "text is not escaped: {text}");
    }
}
