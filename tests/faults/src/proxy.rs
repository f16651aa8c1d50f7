//! A wire that can be cut: a proxy between one process and PostgreSQL that understands enough of the protocol to lose
//! the answer of a chosen statement after it was carried out.
//!
//! A statement is committed when the server says that it is ready for the next one. So a loss waits for that message,
//! passes on none of what came before it, and breaks the connection.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::AbortHandle,
};

/// A message of more than this is none.
const LONGEST: usize = 64 << 20;

/// A proxy. Dropped, it is gone with its connections.
pub struct Proxy {
    /// The port on 127.0.0.1 to connect to.
    pub port: u16,
    wire: Arc<Wire>,
    accepting: AbortHandle,
}

/// Which connections are meant: all, or those whose application name contains the word.
pub type Class = Option<&'static str>;

struct Wire {
    server: PathBuf,
    /// Rises with each cut.
    cuts: watch::Sender<(u64, Class)>,
    silent: watch::Sender<Option<Class>>,
    delay_ms: AtomicU64,
    /// Texts of statements whose next answer is to be lost.
    to_lose: Mutex<Vec<&'static str>>,
    lost: AtomicUsize,
}

impl Proxy {
    /// Opens one before the server's socket.
    ///
    /// # Errors
    /// That there is no port.
    pub async fn open(server: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(Wire {
            server,
            cuts: watch::Sender::new((0, None)),
            silent: watch::Sender::new(None),
            delay_ms: AtomicU64::new(0),
            to_lose: Mutex::default(),
            lost: AtomicUsize::new(0),
        });
        let shared = wire.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(shared.clone().converse(client));
            }
        });
        Ok(Self {
            port,
            wire,
            accepting: accepting.abort_handle(),
        })
    }

    /// Breaks connections; new ones are taken at once.
    pub fn cut(&self, class: Class) {
        self.wire.cuts.send_modify(|(n, which)| {
            *n += 1;
            *which = class;
        });
    }

    /// Passes nothing on, in neither direction, until [`Proxy::speak`]; nobody is told.
    pub fn silence(&self, class: Class) {
        self.wire.silent.send_replace(Some(class));
    }

    /// Ends a silence. What was said meanwhile is passed on, late.
    pub fn speak(&self) {
        self.wire.silent.send_replace(None);
    }

    /// Passes everything on this much later from now on.
    pub fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.wire.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// The next statement with `text` in it is carried out, and its connection breaks instead of an answer.
    pub fn lose(&self, text: &'static str) {
        self.losses().push(text);
    }

    /// How many answers were lost so far.
    pub fn lost(&self) -> usize {
        self.wire.lost.load(Ordering::Relaxed)
    }

    /// Speaks, hurries, and loses nothing more.
    pub fn heal(&self) {
        self.speak();
        self.delay(Duration::ZERO);
        self.losses().clear();
    }

    fn losses(&self) -> std::sync::MutexGuard<'_, Vec<&'static str>> {
        self.wire
            .to_lose
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut(None);
    }
}

fn meant(class: Class, name: &str) -> bool {
    class.is_none_or(|word| name.contains(word))
}

impl Wire {
    async fn converse(self: Arc<Self>, client: TcpStream) {
        let mut cuts = self.cuts.subscribe();
        // An error is the end of the conversation, like any other.
        let Ok((client, hello, name)) = greet(client).await else {
            return;
        };
        let conversation = self.carry(client, &hello, &name);
        let cut = async {
            loop {
                if cuts.changed().await.is_err() {
                    return;
                }
                let class = cuts.borrow_and_update().1;
                if meant(class, &name) {
                    return;
                }
            }
        };
        tokio::select! {
            _ended = conversation => {}
            () = cut => {}
        }
    }

    async fn carry(&self, client: TcpStream, hello: &[u8], name: &str) -> io::Result<()> {
        self.hold(name).await;
        let (from_server, mut to_server) = UnixStream::connect(&self.server).await?.into_split();
        to_server.write_all(hello).await?;
        let (from_client, to_client) = client.into_split();
        let losing = AtomicBool::new(false);
        tokio::select! {
            Err(error) = self.ask(from_client, to_server, &losing, name) => Err(error),
            ended = self.answer(from_server, to_client, &losing, name) => ended,
        }
    }

    /// Passes on what the client says; a doomed statement sets `losing` before the server sees it.
    async fn ask(
        &self,
        from_client: impl AsyncRead + Unpin,
        mut to_server: impl AsyncWrite + Unpin,
        losing: &AtomicBool,
        name: &str,
    ) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(64 << 10, from_client);
        let mut prepared: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        let mut out = Vec::new();
        while let Some(message) = next(&mut reader).await? {
            if let Some(text) = statement(&message, &mut prepared)
                && self.take_loss(text)
            {
                losing.store(true, Ordering::SeqCst);
            }
            out.extend_from_slice(&message);
            if reader.buffer().is_empty() || out.len() > 64 << 10 {
                self.hold(name).await;
                to_server.write_all(&out).await?;
                out.clear();
            }
        }
        to_server.shutdown().await
    }

    async fn answer(
        &self,
        from_server: impl AsyncRead + Unpin,
        mut to_client: impl AsyncWrite + Unpin,
        losing: &AtomicBool,
        name: &str,
    ) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(64 << 10, from_server);
        let mut out = Vec::new();
        while let Some(message) = next(&mut reader).await? {
            if losing.load(Ordering::SeqCst) {
                if message[0] == b'Z' {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                continue;
            }
            out.extend_from_slice(&message);
            if reader.buffer().is_empty() || out.len() > 64 << 10 {
                self.hold(name).await;
                to_client.write_all(&out).await?;
                out.clear();
            }
        }
        to_client.shutdown().await
    }

    fn take_loss(&self, text: &[u8]) -> bool {
        let mut losses = self.to_lose.lock().unwrap_or_else(PoisonError::into_inner);
        let found = losses
            .iter()
            .position(|loss| contains(text, loss.as_bytes()));
        found.map(|at| losses.swap_remove(at)).is_some()
    }

    /// Waits as long as this wire is slow, or silent.
    async fn hold(&self, name: &str) {
        let delay = self.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let mut silent = self.silent.subscribe();
        let _spoken = silent
            .wait_for(|silent| !silent.is_some_and(|class| meant(class, name)))
            .await;
    }
}

/// Reads the first message of a client, which has no type, and finds its application name.
async fn greet(mut client: TcpStream) -> io::Result<(TcpStream, Vec<u8>, String)> {
    client.set_nodelay(true)?;
    let mut hello = vec![0; 4];
    client.read_exact(&mut hello).await?;
    let length = length_of(&hello)?;
    hello.resize(length, 0);
    client.read_exact(&mut hello[4..]).await?;
    let words: Vec<&[u8]> = hello[8.min(length)..].split(|&byte| byte == 0).collect();
    let name = words
        .windows(2)
        .find(|pair| pair[0] == b"application_name")
        .map(|pair| String::from_utf8_lossy(pair[1]).into_owned())
        .unwrap_or_default();
    Ok((client, hello, name))
}

/// The next message, its type and length included. `None` at the end.
async fn next(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut message = vec![0; 5];
    match reader.read_exact(&mut message).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = length_of(&message[1..])? + 1;
    message.resize(length, 0);
    reader.read_exact(&mut message[5..]).await?;
    Ok(Some(message))
}

fn length_of(bytes: &[u8]) -> io::Result<usize> {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[..4]);
    let length = u32::from_be_bytes(word) as usize;
    if (4..LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// The text that a message has carried out: that of a query, or what was prepared under the name it binds.
fn statement<'a>(
    message: &'a [u8],
    prepared: &'a mut HashMap<Vec<u8>, Vec<u8>>,
) -> Option<&'a [u8]> {
    let mut words = message[5..].splitn(3, |&byte| byte == 0);
    let (first, second) = (words.next()?, words.next()?);
    match message[0] {
        b'Q' => Some(first),
        b'P' => {
            prepared.insert(first.to_vec(), second.to_vec());
            None
        }
        b'B' => prepared.get(second).map(Vec::as_slice),
        _ => None,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind];
        let length = u32::try_from(body.len() + 4).expect("short");
        message.extend(length.to_be_bytes());
        message.extend(body);
        message
    }

    #[test]
    fn a_bound_statement_is_known_by_what_was_prepared() {
        let mut prepared = HashMap::new();
        assert_eq!(
            statement(&message(b'P', b"s1\0update queue.job\0\0\0"), &mut prepared),
            None
        );
        let bound = message(b'B', b"\0s1\0\0\0");
        assert_eq!(
            statement(&bound, &mut prepared),
            Some(&b"update queue.job"[..])
        );
        let query = message(b'Q', b"COMMIT\0");
        assert_eq!(statement(&query, &mut prepared), Some(&b"COMMIT"[..]));
        assert_eq!(statement(&message(b'S', b""), &mut prepared), None);
    }
}
