//! The two sockets: SMTP, and the page.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{net::TcpListener, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{MailStore, page, smtp};

/// How long open requests may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);

/// Where the sink is and where it keeps mail.
#[derive(Debug, Clone)]
pub struct MailSinkOptions {
    /// Created when missing.
    pub data_dir: PathBuf,
    /// Where mail is taken. Port 0 picks a free one.
    pub smtp: SocketAddr,
    /// Where it is read.
    pub page: SocketAddr,
}

/// Why the sink did not start.
#[derive(Debug, thiserror::Error)]
pub enum MailSinkError {
    #[error("failed to listen on {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("failed to open the mailbox in {}", folder.display())]
    Store { folder: PathBuf, source: io::Error },
}

/// A sink that is bound and not yet serving.
pub struct MailSink {
    /// Where it takes mail.
    pub smtp: SocketAddr,
    /// Where it is read.
    pub page: SocketAddr,
    /// What it keeps.
    pub store: MailStore,
    smtp_listener: TcpListener,
    page_listener: TcpListener,
}

impl MailSink {
    /// Opens the mailbox and binds both sockets.
    ///
    /// # Errors
    /// [`MailSinkError`]
    pub async fn bind(options: MailSinkOptions) -> Result<Self, MailSinkError> {
        let MailSinkOptions {
            data_dir,
            smtp,
            page,
        } = options;
        let store = MailStore::open(&data_dir).map_err(|source| MailSinkError::Store {
            folder: data_dir.clone(),
            source,
        })?;
        let (smtp_listener, smtp) = listen(smtp).await?;
        let (page_listener, page) = listen(page).await?;
        Ok(Self {
            smtp,
            page,
            store,
            smtp_listener,
            page_listener,
        })
    }

    /// Serves until `shutdown`. Mail that is half given then is not taken, and its sender knows.
    pub async fn run(self, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        let page = page::router(self.store.clone(), self.page);
        let pages = axum::serve(self.page_listener, page)
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        tasks.spawn(pages.into_future());
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.smtp_listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (store, stop) = (self.store.clone(), shutdown.clone());
                    tasks.spawn(async move {
                        let talk = smtp::converse(stream, &store);
                        if let Some(Err(error)) = stop.run_until_cancelled(talk).await {
                            tracing::debug!(%error, "a connection to the SMTP sink broke");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the SMTP sink could not accept a connection");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
        tasks.close();
        // A browser may keep its connection open.
        let _some_stay = tokio::time::timeout(GRACE, tasks.wait()).await;
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), MailSinkError> {
    let failed = |source| MailSinkError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
