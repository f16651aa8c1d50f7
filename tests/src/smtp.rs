//! An SMTP server that misbehaves when told to, and remembers what it got.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// How the server behaves; it may be told otherwise at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    Takes,
    /// Does not know the recipient: 550.
    Refuses,
    /// Has something against the message: 554 after it was given.
    RefusesMessage,
    /// Wants to see the client again: 451 to every recipient.
    Greylists,
    /// Has no room for the message now: 452 after it was given.
    Defers,
    /// Closes the connection after the whole message, without a word, as if the answer was lost.
    LosesAnswer,
    /// Closes it when the message is to be given.
    LosesData,
    /// Closes every connection at once.
    Hangs,
    /// Answers to the message only after this long.
    Slow(Duration),
    /// Offers STARTTLS, consents, and then speaks no TLS.
    BadTls,
    /// Offers no STARTTLS.
    NoTls,
}

/// What the server saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub connections: usize,
    /// Recipients that were asked for, taken or not.
    pub recipients: usize,
    /// Whole messages, whatever was answered to them.
    pub messages: Vec<String>,
    /// Whether anything of a mail was said before TLS.
    pub in_the_clear: bool,
}

/// The server. Dropped, it is gone.
pub struct SmtpServer {
    /// Host and port.
    pub address: String,
    mood: Arc<Mutex<Mood>>,
    seen: Arc<Mutex<Seen>>,
    server: JoinHandle<()>,
}

impl SmtpServer {
    /// Starts one.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn start(mood: Mood) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (mood, seen) = (Arc::new(Mutex::new(mood)), Arc::<Mutex<Seen>>::default());
        let (moods, memory) = (mood.clone(), seen.clone());
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let talk = converse(stream, moods.clone(), memory.clone());
                tokio::spawn(talk);
            }
        });
        Ok(Self {
            address,
            mood,
            seen,
            server,
        })
    }

    /// Behaves like this from now on.
    pub fn be(&self, mood: Mood) {
        *lock(&self.mood) = mood;
    }

    /// What it saw so far.
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn converse(
    stream: TcpStream,
    mood: Arc<Mutex<Mood>>,
    seen: Arc<Mutex<Seen>>,
) -> std::io::Result<()> {
    let now = || *lock(&mood);
    lock(&seen).connections += 1;
    if now() == Mood::Hangs {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 moody ESMTP\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let tls = matches!(now(), Mood::BadTls | Mood::NoTls);
        let answer = match line.get(..4).unwrap_or_default() {
            "EHLO" if now() == Mood::BadTls => "250-moody\r\n250 STARTTLS",
            "EHLO" => "250-moody\r\n250 8BITMIME",
            "STAR" => {
                stream
                    .write_all(b"220 go on\r\n250 this is no handshake\r\n")
                    .await?;
                continue;
            }
            "MAIL" => {
                lock(&seen).in_the_clear |= tls;
                "250 go on"
            }
            "RCPT" => {
                lock(&seen).recipients += 1;
                match now() {
                    Mood::Refuses => "550 5.1.1 no such mailbox",
                    Mood::Greylists => "451 4.7.1 come again",
                    _ => "250 go on",
                }
            }
            "DATA" if now() == Mood::LosesData => return Ok(()),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let message = read_message(&mut stream).await?;
                lock(&seen).messages.push(message);
                match now() {
                    Mood::LosesAnswer => return Ok(()),
                    Mood::RefusesMessage => "554 5.7.1 not wanted",
                    Mood::Defers => "452 4.2.2 the mailbox is full",
                    Mood::Slow(wait) => {
                        sleep(wait).await;
                        "250 taken"
                    }
                    _ => "250 taken",
                }
            }
            "QUIT" => return Ok(()),
            _ => "250 as you like",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

async fn read_message(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut message = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(message);
        }
        message += &line;
    }
}
