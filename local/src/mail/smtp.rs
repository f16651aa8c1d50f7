//! One conversation: RFC 5321 as far as a sink needs it. Everybody may send to everybody; nothing goes anywhere.

use std::{io, time::Duration};

use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    time::timeout,
};

use super::MailStore;

/// The longest line that is read; the standard asks for 1,000.
const LINE: u64 = 64 * 1024;
/// The largest mail, in bytes.
const LARGEST: usize = 5 * 1024 * 1024;
/// Recipients of one mail.
const RECIPIENTS: usize = 100;
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// A mail that is being announced.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

/// Takes mail until the client leaves.
///
/// # Errors
/// Those of the connection.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    store: &MailStore,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut envelope = Envelope::default();
    say(&mut stream, "220 millrace.localhost ESMTP, a sink").await?;
    while let Some(line) = read_line(&mut stream).await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = line.split_ascii_whitespace().next().unwrap_or_default();
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                envelope = Envelope::default();
                let size = format!("250-SIZE {LARGEST}");
                for offer in [
                    "250-millrace.localhost",
                    &size,
                    "250-8BITMIME",
                    "250-SMTPUTF8",
                ] {
                    say(&mut stream, offer).await?;
                }
                "250 PIPELINING"
            }
            "HELO" => "250 millrace.localhost",
            "MAIL" => match path(&line, "MAIL FROM:") {
                Some(from) => {
                    envelope = Envelope {
                        from: Some(from),
                        to: Vec::new(),
                    };
                    "250 2.1.0 go on"
                }
                None => "501 5.5.4 MAIL FROM:<address> is the form",
            },
            "RCPT" => match path(&line, "RCPT TO:") {
                _ if envelope.from.is_none() => "503 5.5.1 MAIL comes first",
                Some(_) if envelope.to.len() >= RECIPIENTS => "452 4.5.3 enough recipients",
                Some(to) if !to.is_empty() => {
                    envelope.to.push(to);
                    "250 2.1.5 go on"
                }
                _ => "501 5.5.4 RCPT TO:<address> is the form",
            },
            "DATA" => match std::mem::take(&mut envelope) {
                Envelope {
                    from: Some(from),
                    to,
                } if !to.is_empty() => {
                    say(&mut stream, "354 end with a dot").await?;
                    take(&mut stream, store, &from, &to).await?
                }
                _ => "503 5.5.1 MAIL and RCPT come first",
            },
            "RSET" => {
                envelope = Envelope::default();
                "250 2.0.0 forgotten"
            }
            "NOOP" => "250 2.0.0 here",
            "QUIT" => {
                say(&mut stream, "221 2.0.0 bye").await?;
                return Ok(());
            }
            _ => "502 5.5.1 this is not spoken here",
        };
        say(&mut stream, answer).await?;
    }
    Ok(())
}

/// Reads a message to its dot and keeps it.
async fn take<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    store: &MailStore,
    from: &str,
    to: &[String],
) -> io::Result<&'static str> {
    let mut mail = Vec::new();
    let mut too_large = false;
    loop {
        let line = read_line(stream).await?;
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line == b".\r\n" || line == b".\n" {
            break;
        }
        // A line that begins with a dot was given one more.
        let line = line.strip_prefix(b".").unwrap_or(&line);
        too_large |= mail.len() + line.len() > LARGEST;
        if !too_large {
            mail.extend_from_slice(line);
        }
    }
    if too_large {
        return Ok("552 5.3.4 larger than was announced");
    }
    let (store, from, to) = (store.clone(), from.to_owned(), to.to_vec());
    let kept = tokio::task::spawn_blocking(move || store.keep(&from, &to, &mail)).await;
    match kept.map_err(io::Error::other).flatten() {
        Ok(_) => Ok("250 2.0.0 kept"),
        Err(error) => {
            tracing::warn!(%error, "the SMTP sink could not keep a mail");
            Ok("451 4.3.0 the disk would not have it")
        }
    }
}

/// The address between the brackets after `before`.
fn path(line: &str, before: &str) -> Option<String> {
    let head = line.get(..before.len())?;
    let rest = line.get(before.len()..)?.trim_start();
    let (address, _parameters) = rest.strip_prefix('<')?.split_once('>')?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    (head.eq_ignore_ascii_case(before) && address.chars().all(plain)).then(|| address.to_owned())
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = stream.take(LINE);
    let read = timeout(SILENCE, bounded.read_until(b'\n', &mut line)).await;
    match read.map_err(io::Error::from)?? {
        0 => Ok(None),
        _ if !line.ends_with(b"\n") => Err(io::ErrorKind::InvalidData.into()),
        _ => Ok(Some(line)),
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
) -> io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to a client that says `lines`.
    async fn answers(store: &MailStore, lines: &str) -> Vec<String> {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        client.write_all(lines.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let _cut_off = converse(server, store).await;
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        said.lines().map(|line| line[..3].to_owned()).collect()
    }

    #[tokio::test]
    async fn a_mail_is_kept_as_it_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        let store = MailStore::open(folder.path()).unwrap();
        let said = answers(
            &store,
            "HELO us\r\nMAIL FROM:<us@x.example> SIZE=3\r\nRCPT TO:<ann@x.example>\r\nrcpt to: <bob@x.example>\r\n\
             DATA\r\nSubject: dots\r\n\r\n..two\r\nend\r\n.\r\nQUIT\r\n",
        )
        .await;
        assert_eq!(
            said,
            ["220", "250", "250", "250", "250", "354", "250", "221"]
        );
        let mail = &store.list("").unwrap()[0];
        assert_eq!(mail.to, ["ann@x.example", "bob@x.example"]);
        assert_eq!(mail.text, ".two\r\nend\r\n");
    }

    #[tokio::test]
    async fn what_comes_out_of_turn_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = MailStore::open(folder.path()).unwrap();
        let said = answers(
            &store,
            "DATA\r\nRCPT TO:<a@x>\r\nMAIL FROM:a@x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<>\r\nRCPT TO:<a b@x>\r\nDATA\r\nAUTH x\r\n",
        )
        .await;
        assert_eq!(
            said,
            [
                "220", "503", "503", "501", "250", "501", "501", "503", "502"
            ]
        );
        // The connection breaks in the middle of a message.
        answers(
            &store,
            "MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\nhalf a line",
        )
        .await;
        assert!(store.list("").unwrap().is_empty());
    }
}
