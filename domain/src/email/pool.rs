//! Open connections to the SMTP server. lettre has a pool, but only in front of its one-call transport, which does not
//! tell a message that was never given away from one whose answer was lost (see `mailer.rs`).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::transport::smtp::{client::AsyncSmtpConnection, commands::Rset};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use super::{SendError, server::Server};

/// Connections at a time. Servers limit those of one client, often to ten.
const MOST: usize = 4;
/// A connection that lay idle for longer is closed: servers do so after a minute or more, and say nothing.
const IDLE: Duration = Duration::from_secs(30);

/// Connections of one process.
pub(super) struct Pool {
    server: Server,
    /// How long a connection, or an answer, may take.
    limit: Duration,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
    places: Semaphore,
}

/// A connection in use, and its place.
pub(super) struct Lent<'a> {
    pub(super) connection: AsyncSmtpConnection,
    pool: &'a Pool,
    _place: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(server: Server, limit: Duration) -> Self {
        Self {
            server,
            limit,
            idle: Mutex::default(),
            places: Semaphore::new(MOST),
        }
    }

    /// How long an answer may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// A connection that has just answered.
    pub(super) async fn take(&self) -> Result<Lent<'_>, SendError> {
        let place = self.places.acquire().await;
        let place = place.map_err(|closed| SendError::Unusable(closed.into()))?;
        let connection = loop {
            let Some((mut connection, since)) = self.lock().pop() else {
                break self.server.connect(self.limit).await?;
            };
            // RSET rather than NOOP: it also forgets what was said before.
            if since.elapsed() < IDLE
                && matches!(
                    timeout(self.limit, connection.command(Rset)).await,
                    Ok(Ok(_))
                )
            {
                break connection;
            }
        };
        Ok(Lent {
            connection,
            pool: self,
            _place: place,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    /// Gives a connection back that is good for another mail. One that is dropped instead is closed.
    pub(super) fn give_back(self) {
        let mut idle = self.pool.lock();
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        if idle.len() < MOST {
            idle.push((self.connection, Instant::now()));
        }
    }
}
