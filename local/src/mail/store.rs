//! Mails on disk: a file each, the newest are kept.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use mail_parser::{Address, Message, MessageParser};
use uuid::Uuid;

/// How many are kept.
const MOST: usize = 500;

/// The mails of one folder.
#[derive(Debug, Clone)]
pub struct MailStore {
    folder: PathBuf,
}

/// A mail as it is read.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Sorts by arrival.
    pub id: Uuid,
    pub arrived: DateTime<Utc>,
    pub from: String,
    /// The addresses that the envelope named, whatever the headers say.
    pub to: Vec<String>,
    pub subject: String,
    /// Names and values in order, as they came.
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub html: Option<String>,
    /// As it came over the wire.
    pub source: String,
}

impl MailStore {
    /// Opens a folder, which is made when it does not exist.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Keeps a mail, and lets the oldest go. The file appears at once and whole.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep(&self, from: &str, to: &[String], source: &[u8]) -> io::Result<Uuid> {
        let id = Uuid::now_v7();
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        // As delivery agents note the envelope.
        writeln!(file, "Return-Path: <{from}>\r")?;
        for to in to {
            writeln!(file, "Delivered-To: {to}\r")?;
        }
        file.write_all(source)?;
        file.persist(self.file(id)).map_err(|failed| failed.error)?;
        for old in self.ids()?.into_iter().skip(MOST) {
            remove(&self.file(old))?;
        }
        Ok(id)
    }

    /// All mails that hold `words` somewhere in what a reader sees, newest first.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn list(&self, words: &str) -> io::Result<Vec<Mail>> {
        let words = words.trim().to_lowercase();
        let mut mails = Vec::new();
        for id in self.ids()? {
            mails.extend(self.find(id)?.filter(|mail| mail.holds(&words)));
        }
        Ok(mails)
    }

    /// One mail.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn find(&self, id: Uuid) -> io::Result<Option<Mail>> {
        match fs::read(self.file(id)) {
            Ok(bytes) => Ok(Some(Mail::read(id, &bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes all mails.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear(&self) -> io::Result<()> {
        self.ids()?
            .into_iter()
            .try_for_each(|id| remove(&self.file(id)))
    }

    /// Newest first.
    fn ids(&self) -> io::Result<Vec<Uuid>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".eml"));
            ids.extend(id.and_then(|id| id.parse::<Uuid>().ok()));
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    fn file(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.eml"))
    }
}

impl Mail {
    fn read(id: Uuid, bytes: &[u8]) -> Self {
        let source = String::from_utf8_lossy(bytes).into_owned();
        let arrived = id.get_timestamp().and_then(|time| {
            let (seconds, nanos) = time.to_unix();
            DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
        });
        let message = MessageParser::default().parse(bytes).unwrap_or_default();
        let headers = message
            .headers_raw()
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect::<Vec<_>>();
        let to = headers
            .iter()
            .filter(|(name, _)| name == "Delivered-To")
            .map(|(_, value)| value.clone())
            .collect();
        Self {
            id,
            arrived: arrived.unwrap_or_default(),
            from: addresses(message.from()),
            to,
            subject: message.subject().unwrap_or_default().to_owned(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
            html: html(&message),
            headers,
            source,
        }
    }

    fn holds(&self, words: &str) -> bool {
        let seen = [&self.subject, &self.from, &self.text];
        seen.into_iter()
            .chain(&self.to)
            .any(|text| text.to_lowercase().contains(words))
    }
}

/// Its own HTML; what mail-parser would make of a text is none.
fn html(message: &Message<'_>) -> Option<String> {
    let part = message.html_part(0)?;
    part.is_text_html()
        .then(|| part.text_contents().unwrap_or_default().to_owned())
}

fn addresses(of: Option<&Address<'_>>) -> String {
    let one = |address: &mail_parser::Addr<'_>| {
        let mail = address.address().unwrap_or_default();
        match address.name() {
            Some(name) => format!("{name} <{mail}>"),
            None => mail.to_owned(),
        }
    };
    of.map_or_else(String::new, |all| {
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    })
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_mails_are_kept_and_found_by_what_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let store = MailStore::open(folder.path()).unwrap();
        let ann = ["ann@example.org".to_owned()];
        for n in 0..MOST + 3 {
            let mail =
                format!("From: Us <us@example.org>\r\nSubject: number {n}\r\n\r\nHello {n}\r\n");
            store.keep("us@example.org", &ann, mail.as_bytes()).unwrap();
        }
        let all = store.list("").unwrap();
        assert_eq!(all.len(), MOST);
        assert_eq!(all[0].subject, format!("number {}", MOST + 2));
        assert_eq!(all[0].to, ann);
        assert_eq!(all[0].from, "Us <us@example.org>");
        let found = store.list(" HELLO 77").unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].text.trim(), "Hello 77");
        assert_eq!(found[0].html, None);
        store.clear().unwrap();
        assert!(store.list("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_mail_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let store = MailStore::open(folder.path()).unwrap();
        let id = store.keep("", &[], b"\xff\x00\r\n\r\n\xfe").unwrap();
        assert_eq!(store.find(id).unwrap().unwrap().subject, "");
        assert!(store.find(Uuid::now_v7()).unwrap().is_none());
    }
}
