//! Which rows a message tells of, and the letter that they make.

use lettre::{
    Address, Message as Mime,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use sqlx::PgConnection;
use url::Url;

use super::{
    Email, Letter, MailerError, Message, Unsubscribe, UnsubscribeKey,
    letters::{self, Reader},
};
use crate::{
    accounts::{Holder, Link, Purpose, User},
    ids::{UserId, VideoId},
    moderation::{self, Action, Case, Decision},
    notifications,
    videos::{Status, Video, Visibility},
};

/// What letters are made with.
#[derive(Debug, Clone)]
pub struct Sender {
    from: Mailbox,
    public_url: Url,
    unsubscribe: UnsubscribeKey,
}

/// What a message became.
#[derive(Debug)]
pub enum Composed {
    /// A mail as it goes over the wire, ASCII throughout.
    Mail(Vec<u8>),
    /// Nothing: it is not true any more, or not wanted.
    Moot(&'static str),
}

/// Why no mail was made.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error("could not read what the mail tells of")]
    Database(#[from] sqlx::Error),
    #[error("could not write the letter")]
    Letter(#[from] askama::Error),
    #[error("could not put the mail together")]
    Mime(#[from] lettre::error::Error),
}

impl Sender {
    /// `from` is an address, or a name and an address: `Millrace <no-reply@example.org>`.
    ///
    /// # Errors
    /// [`MailerError::Sender`]
    pub fn new(
        from: &str,
        public_url: &Url,
        unsubscribe: UnsubscribeKey,
    ) -> Result<Self, MailerError> {
        Ok(Self {
            from: from.parse().map_err(MailerError::Sender)?,
            public_url: public_url.clone(),
            unsubscribe,
        })
    }

    /// The sender's address.
    pub fn address(&self) -> &Address {
        &self.from.email
    }

    /// Writes the mail. Whatever must be stored for its links is stored by `conn`: the transaction that commits it also
    /// commits that the mail is being sent, so a link that nobody got is none.
    ///
    /// # Errors
    /// [`ComposeError`]
    pub async fn compose(
        &self,
        conn: &mut PgConnection,
        email: &Email,
        message: &Message,
    ) -> Result<Composed, ComposeError> {
        let mut end = None;
        if let (Some(kind), Some(user)) = (message.news(), email.to.user) {
            if !notifications::wants(&mut *conn, user, kind).await?.email {
                return Ok(Composed::Moot("the person does not want mail of this kind"));
            }
            end = Some(Unsubscribe { user, kind });
        }
        let Some(mut letter) = self.letter(conn, email, message).await? else {
            return Ok(Composed::Moot("what it tells of is gone"));
        };
        let token = end.map(|end| self.unsubscribe.token(end));
        letter.unsubscribe = token
            .as_deref()
            .map(|token| self.page("unsubscribe", token));
        Ok(Composed::Mail(self.mime(
            email,
            &letter,
            token.as_deref(),
        )?))
    }

    /// The letter, while what it tells of is so.
    async fn letter(
        &self,
        conn: &mut PgConnection,
        email: &Email,
        message: &Message,
    ) -> Result<Option<Letter>, sqlx::Error> {
        let reader = Reader {
            name: &email.to.name,
            language: email.to.language,
        };
        let page = |video: &Video| self.at(&format!("videos/{}", video.id));
        let ready = |video: &Video| video.status == Status::Ready;
        let read = &reader;
        // Who has the mailbox that the account had before gets nothing that opens it.
        let own = |holder: &Holder| holder.at_home;
        Ok(match message {
            Message::VideoReady { video } => Video::find(conn, *video)
                .await?
                .filter(ready)
                .map(|video| letters::video_ready(read, &video.title, &page(&video))),
            Message::VideoFailed { video } => Video::find(conn, *video)
                .await?
                .filter(|video| video.status == Status::Failed)
                .map(|video| {
                    let code = video.error_code.as_deref();
                    letters::video_failed(read, &video.title, code, &page(&video))
                }),
            Message::VerifyAddress { user } => {
                let purpose = Purpose::VerifyEmail;
                let url = self.link(conn, email, *user, purpose, own).await?;
                url.map(|url| letters::verify_address(read, &url, purpose.hours()))
            }
            Message::ChangeAddress { user, ended } => {
                let purpose = Purpose::ChangeEmail;
                let same = |holder: &Holder| holder.links_ended == *ended;
                let url = self.link(conn, email, *user, purpose, same).await?;
                url.map(|url| letters::change_address(read, &url, purpose.hours()))
            }
            Message::ResetPassword { user } => {
                let purpose = Purpose::ResetPassword;
                let url = self.link(conn, email, *user, purpose, own).await?;
                url.map(|url| letters::reset_password(read, &url, purpose.hours()))
            }
            Message::AddressChanged { .. } => Some(letters::address_changed(read)),
            Message::PasswordChanged { .. } => {
                Some(letters::password_changed(read, &self.at("forgot")))
            }
            Message::ExportReady { user } => {
                let purpose = Purpose::Export;
                let url = self.link(conn, email, *user, purpose, own).await?;
                url.map(|url| letters::export_ready(read, &url, purpose.hours() / 24))
            }
            Message::Comment { video, actor } => both(conn, *video, *actor)
                .await?
                .map(|(video, who)| letters::comment(read, &who, &video.title, &page(&video))),
            Message::Reply { video, actor } => both(conn, *video, *actor)
                .await?
                .map(|(video, who)| letters::reply(read, &who, &video.title, &page(&video))),
            Message::Follower { actor } => User::find(conn, *actor).await?.map(|who| {
                let url = self.at(&format!("channels/{}", who.username));
                letters::follower(read, &who.username, &url)
            }),
            Message::Published { video } => Video::find(conn, *video)
                .await?
                .filter(|video| ready(video) && video.visibility == Visibility::Public)
                .map(|video| {
                    letters::published(read, &video.username, &video.title, &page(&video))
                }),
            Message::Decision { decision } => {
                match moderation::decision(&mut *conn, *decision).await? {
                    // Lifted before the mail went: there is nothing to tell.
                    Some(decision) if decision.stands() => {
                        let url = self.answer_to(conn, email, &decision).await?;
                        letters::decision(read, &decision, &url)
                    }
                    _ => None,
                }
            }
            Message::DecisionLifted { decision } => moderation::decision(conn, *decision)
                .await?
                .and_then(|decision| letters::lifted(read, &decision, &self.at("decisions"))),
            Message::AppealRejected { decision, .. } => moderation::decision(conn, *decision)
                .await?
                .and_then(|decision| letters::rejected(read, &decision)),
            Message::ReportDecided { case } => Case::find(conn, *case)
                .await?
                .and_then(|case| letters::reported(read, &case, &self.at("notifications"))),
            Message::AccountDeleted => Some(letters::account_deleted(read)),
        })
    }

    /// Where a decision can be read and answered: by a link of its own, if its reader cannot log in.
    async fn answer_to(
        &self,
        conn: &mut PgConnection,
        email: &Email,
        decision: &Decision,
    ) -> Result<String, sqlx::Error> {
        match (decision.action, email.to.user) {
            (Action::Suspend, Some(user)) => {
                let token = Link::mint(conn, user, Purpose::Appeal, &email.to.address).await?;
                Ok(self.page("suspended", &token))
            }
            _ => Ok(self.at("decisions")),
        }
    }

    /// The address of a single-use link in this mail, minted now; `None` if there is nobody any more whom it would help,
    /// or the account is not what it was when the mail was asked for.
    async fn link(
        &self,
        conn: &mut PgConnection,
        email: &Email,
        user: UserId,
        purpose: Purpose,
        may: impl FnOnce(&Holder) -> bool,
    ) -> Result<Option<String>, sqlx::Error> {
        let holder = Holder::lock(&mut *conn, user, &email.to.address).await?;
        if !holder.as_ref().is_some_and(may) {
            return Ok(None);
        }
        let token = Link::mint(conn, user, purpose, &email.to.address).await?;
        let page = match purpose {
            Purpose::VerifyEmail | Purpose::ChangeEmail => "verify",
            Purpose::ResetPassword => "reset",
            Purpose::Export => "api/export",
            Purpose::Appeal => "suspended",
        };
        Ok(Some(self.page(page, &token)))
    }

    /// The address of a page.
    fn at(&self, path: &str) -> String {
        let base = self.public_url.as_str().trim_end_matches('/');
        format!("{base}/{path}")
    }

    /// The same with a token in its query.
    fn page(&self, path: &str, token: &str) -> String {
        // Tokens are made of letters that need no escape.
        format!("{}?token={token}", self.at(path))
    }

    fn mime(
        &self,
        email: &Email,
        letter: &Letter,
        unsubscribe: Option<&str>,
    ) -> Result<Vec<u8>, ComposeError> {
        let address = email.to.address.parse::<Address>();
        let address = address.map_err(|_| lettre::error::Error::MissingTo)?;
        let host = self.public_url.host_str().unwrap_or("localhost");
        let to = Mailbox::new(Some(email.to.name.clone()), address);
        let mut mail = Mime::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject.clone())
            // The same at every try, so that a reader who gets two sees one.
            .message_id(Some(format!("<{}@{host}>", email.id)))
            // Nobody's holiday notice answers it.
            .raw_header(raw("Auto-Submitted", "auto-generated"));
        if let Some(token) = unsubscribe {
            // RFC 8058: mail programs show a button, and post to the address without opening a page.
            let url = self.page("api/email/unsubscribe", token);
            mail = mail
                .raw_header(raw("List-Unsubscribe", &format!("<{url}>")))
                .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        let mail = mail.multipart(MultiPart::alternative_plain_html(
            letter.text()?,
            letter.html()?,
        ))?;
        Ok(mail.formatted())
    }
}

/// A video, and the name of somebody who did something with it.
async fn both(
    conn: &mut PgConnection,
    video: VideoId,
    actor: UserId,
) -> Result<Option<(Video, String)>, sqlx::Error> {
    let video = Video::find(&mut *conn, video).await?;
    let actor = User::find(conn, actor).await?;
    Ok(video
        .zip(actor)
        .map(|(video, actor)| (video, actor.username)))
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str(name),
        value.to_owned(),
        value.to_owned(),
    )
}
