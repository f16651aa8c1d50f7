//! The socket.

use std::{
    io,
    net::SocketAddr,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    routing::{any, get},
};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    api,
    book::Book,
    control,
    deliveries::{self, Deliveries, Due},
    page,
};

/// How long open requests may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);
/// How often pages are closed whose time has come.
const SWEEP: Duration = Duration::from_secs(1);

/// Where the sandbox is, and what it is known by.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    /// What callers show.
    pub secret_key: String,
    /// What its own calls are signed with.
    pub webhook_secret: String,
    /// Whom it tells what happened. Empty: nobody.
    pub webhook_url: String,
    /// Where it remembers everything. None: it forgets when it ends.
    pub folder: Option<PathBuf>,
}

/// Why the sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("failed to listen on {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("failed to open the payment sandbox's journal in {}", folder.display())]
    Journal { folder: PathBuf, source: io::Error },
    #[error("the payment sandbox cannot make calls")]
    Client(#[from] reqwest::Error),
}

/// A running sandbox.
pub struct Sandbox {
    addr: SocketAddr,
    shared: Shared,
}

/// What all requests share.
#[derive(Clone)]
pub(super) struct Shared(Arc<Inner>);

/// See [`Shared`].
pub(super) struct Inner {
    pub(super) secret_key: String,
    pub(super) webhook_secret: String,
    pub(super) webhook_url: String,
    /// Where pages are.
    pub(super) home: String,
    pub(super) http: reqwest::Client,
    book: Mutex<Book>,
    deliveries: Mutex<Deliveries>,
    trouble: Mutex<Trouble>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What goes wrong next.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Calls that fail.
    pub(super) failures: u32,
    /// They are done, and their answers are lost.
    pub(super) lost: bool,
    /// Refunds that take their time.
    pub(super) slow_refunds: u32,
}

impl Sandbox {
    /// Starts it.
    ///
    /// # Errors
    /// [`SandboxError`]
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let addr = options.listen;
        let failed = |source| SandboxError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let book =
            Book::open(options.folder.as_deref()).map_err(|source| SandboxError::Journal {
                folder: options.folder.unwrap_or_default(),
                source,
            })?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()?;
        let shared = Shared(Arc::new(Inner {
            secret_key: options.secret_key,
            webhook_secret: options.webhook_secret,
            webhook_url: options.webhook_url,
            home: format!("http://{addr}"),
            http,
            book: Mutex::new(book),
            deliveries: Mutex::default(),
            trouble: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }));
        let routes = Router::new()
            .route("/v1/{*path}", any(api::call))
            .route("/pay/{session}", get(page::show).post(page::act))
            .nest("/sandbox", control::routes())
            .with_state(shared.clone());
        let serving = axum::serve(listener, routes)
            .with_graceful_shutdown(shared.stop.clone().cancelled_owned());
        shared.tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the payment sandbox ended badly");
            }
        });
        shared.tasks.spawn(sweep(shared.clone()));
        Ok(Self { addr, shared })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops it; calls that nobody took are not made any more.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        // A browser may keep its connection open.
        let _some_stay = tokio::time::timeout(GRACE, self.shared.tasks.wait()).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Shared {
    /// Looks something up.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&lock(&self.book))
    }

    /// Changes something, and tells of it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let (answer, news) = {
            let mut book = lock(&self.book);
            let answer = change(&mut book);
            (answer, std::mem::take(&mut book.news))
        };
        for event in news {
            let due = self.deliveries().due(event);
            self.tell(due);
        }
        answer
    }

    /// Makes these calls, if there is somebody to call.
    pub(super) fn tell(&self, due: Vec<Due>) {
        if self.webhook_url.is_empty() {
            return;
        }
        for due in due {
            let (shared, stop) = (self.clone(), self.stop.clone());
            self.tasks.spawn(async move {
                stop.run_until_cancelled(deliveries::deliver(shared, due))
                    .await
            });
        }
    }

    pub(super) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        lock(&self.deliveries)
    }

    pub(super) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        lock(&self.trouble)
    }

    /// Whether this call fails: done with its answer lost (true), or not done (false).
    pub(super) fn next_fault(&self) -> Option<bool> {
        let mut trouble = self.trouble();
        trouble.failures = trouble.failures.checked_sub(1)?;
        Some(trouble.lost)
    }

    /// Whether this refund takes its time.
    pub(super) fn refund_waits(&self) -> bool {
        let mut trouble = self.trouble();
        let left = trouble.slow_refunds.checked_sub(1);
        trouble.slow_refunds = left.unwrap_or_default();
        left.is_some()
    }
}

/// What was written before somebody panicked is whole: each change is one insert.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn sweep(shared: Shared) {
    while shared
        .stop
        .run_until_cancelled(sleep(SWEEP))
        .await
        .is_some()
    {
        shared.change(Book::expire_due);
    }
}
