//! A letter: what is said, and its form as text and HTML.
//!
//! Letters are data and there is one template for each form, so that all mails look alike and a new one is a function of
//! a few lines. Askama compiles the templates and escapes what goes into HTML; what people wrote (names, titles) cannot
//! become markup.

use askama::Template;

use super::Language;

/// The one thing that a reader may want to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub label: String,
    pub url: String,
}

/// A letter in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub language: Language,
    pub subject: String,
    /// The line above the text.
    pub greeting: String,
    pub paragraphs: Vec<String>,
    pub action: Option<Action>,
    /// Smaller, below the action: how long a link is good, what to do if it was not you.
    pub notes: Vec<String>,
    /// Where mail of this kind is ended. None: it is part of what the person asked for.
    pub unsubscribe: Option<String>,
}

/// The form that every mail reader shows.
#[derive(Template)]
#[template(path = "email/letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
    words: Words,
}

/// The form that most mail readers show.
#[derive(Template)]
#[template(path = "email/letter.html")]
struct Html<'a> {
    letter: &'a Letter,
    words: Words,
}

/// What every letter says.
struct Words {
    tag: &'static str,
    colon: &'static str,
    copy: &'static str,
    unsubscribe: &'static str,
}

impl Letter {
    /// The letter as plain text.
    ///
    /// # Errors
    /// Those of the template.
    pub fn text(&self) -> Result<String, askama::Error> {
        let words = self.words();
        Text {
            letter: self,
            words,
        }
        .render()
    }

    /// The letter as HTML.
    ///
    /// # Errors
    /// Those of the template.
    pub fn html(&self) -> Result<String, askama::Error> {
        let words = self.words();
        Html {
            letter: self,
            words,
        }
        .render()
    }

    fn words(&self) -> Words {
        Words {
            tag: self.language.tag(),
            colon: self.language.pick("：", ":"),
            copy: self.language.pick(
                "如果按鈕沒有反應，請將這個網址貼到瀏覽器：",
                "If the button does nothing, paste this address into your browser:",
            ),
            unsubscribe: self
                .language
                .pick("不再收到這類郵件", "Stop getting mail of this kind"),
        }
    }
}
