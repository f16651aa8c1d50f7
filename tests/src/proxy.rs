//! A wire that can be cut: a proxy between a process and a server, that delays, goes silent, breaks connections, and
//! loses answers.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::AbortHandle,
};

/// Where a proxy leads.
#[derive(Debug, Clone)]
pub enum Server {
    /// Host and port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A proxy. Dropped, it is gone with its connections.
pub struct Proxy {
    /// Where to connect instead: host and port.
    pub address: String,
    wire: Arc<Wire>,
    accepting: AbortHandle,
}

/// What all connections of a proxy share.
struct Wire {
    server: Server,
    /// Rises when all connections are to break.
    cuts: watch::Sender<u64>,
    silent: watch::Sender<bool>,
    /// Milliseconds before each piece is passed on.
    delay: AtomicU64,
    /// Answers that are still to be lost.
    to_lose: AtomicUsize,
    lost: AtomicUsize,
    /// What a request contains whose answer may be lost.
    request: &'static [u8],
}

impl Proxy {
    /// Opens one before `server`. `request` is what a request contains whose answer [`Proxy::lose_answer`] loses, such as
    /// `COMMIT`.
    ///
    /// # Errors
    /// That there is no port.
    pub async fn open(server: Server, request: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let wire = Arc::new(Wire {
            server,
            cuts: watch::Sender::new(0),
            silent: watch::Sender::new(false),
            delay: AtomicU64::new(0),
            to_lose: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            request: request.as_bytes(),
        });
        let shared = wire.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(shared.clone().converse(client));
            }
        });
        Ok(Self {
            address,
            wire,
            accepting: accepting.abort_handle(),
        })
    }

    /// Breaks all connections; new ones are taken at once.
    pub fn cut(&self) {
        self.wire.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Passes nothing on, in neither direction, until [`Proxy::speak`]; nobody is told.
    pub fn silence(&self) {
        self.wire.silent.send_replace(true);
    }

    /// Ends a silence. What was said meanwhile is passed on, late.
    pub fn speak(&self) {
        self.wire.silent.send_replace(false);
    }

    /// Passes everything on this much later from now on.
    pub fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.wire.delay.store(delay, Ordering::Relaxed);
    }

    /// The next request of the kind is carried out, and its connection breaks instead of an answer.
    pub fn lose_answer(&self) {
        self.wire.to_lose.fetch_add(1, Ordering::Relaxed);
    }

    /// How many answers were lost so far.
    pub fn lost(&self) -> usize {
        self.wire.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Wire {
    async fn converse(self: Arc<Self>, client: TcpStream) {
        let mut cuts = self.cuts.subscribe();
        let conversation = async {
            client.set_nodelay(true)?;
            let (from_client, to_client) = client.into_split();
            match &self.server {
                Server::Tcp(address) => {
                    let server = TcpStream::connect(address).await?;
                    server.set_nodelay(true)?;
                    let (from_server, to_server) = server.into_split();
                    self.carry(from_client, to_server, from_server, to_client)
                        .await
                }
                Server::Unix(path) => {
                    let (from_server, to_server) = UnixStream::connect(path).await?.into_split();
                    self.carry(from_client, to_server, from_server, to_client)
                        .await
                }
            }
        };
        // Either way both ends are closed at once, whatever they were saying.
        tokio::select! {
            _ended = conversation => {}
            _ = cuts.changed() => {}
        }
    }

    async fn carry(
        &self,
        from_client: impl AsyncRead + Unpin,
        to_server: impl AsyncWrite + Unpin,
        from_server: impl AsyncRead + Unpin,
        to_client: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        // An answer that comes from now on is lost, and the connection with it.
        let losing = AtomicBool::new(false);
        tokio::select! {
            // The client may be done while the server still answers.
            Err(error) = self.ask(from_client, to_server, &losing) => Err(error),
            ended = self.answer(from_server, to_client, &losing) => ended,
        }
    }

    async fn ask(
        &self,
        mut from_client: impl AsyncRead + Unpin,
        mut to_server: impl AsyncWrite + Unpin,
        losing: &AtomicBool,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        // A request may be split between two reads.
        let mut seen: Vec<u8> = Vec::new();
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return to_server.shutdown().await;
            }
            seen.extend_from_slice(&buffer[..read]);
            if contains(&seen, self.request) {
                seen.clear();
                if self.take_loss() {
                    losing.store(true, Ordering::Relaxed);
                }
            }
            let excess = seen.len().saturating_sub(self.request.len());
            seen.drain(..excess);
            self.hold().await;
            to_server.write_all(&buffer[..read]).await?;
        }
    }

    async fn answer(
        &self,
        mut from_server: impl AsyncRead + Unpin,
        mut to_client: impl AsyncWrite + Unpin,
        losing: &AtomicBool,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            let piece = &buffer[..read];
            // "Go on" is no answer yet.
            if losing.load(Ordering::Relaxed) && read > 0 && !piece.starts_with(b"HTTP/1.1 100") {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            if read == 0 {
                return to_client.shutdown().await;
            }
            self.hold().await;
            to_client.write_all(piece).await?;
        }
    }

    fn take_loss(&self) -> bool {
        let taken = self
            .to_lose
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        taken.is_ok()
    }

    /// Waits as long as this wire is slow, or silent.
    async fn hold(&self) {
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let mut silent = self.silent.subscribe();
        let _spoken = silent.wait_for(|silent| !silent).await;
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
