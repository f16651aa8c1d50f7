//! The socket, CORS and graceful shutdown.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};
use tower_http::set_header::{SetResponseHeader, SetResponseHeaderLayer};

use super::service::Service;
use super::store::Store;

/// How long running requests may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(5);

/// How the storage server is set up.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Where objects live. Created when missing.
    pub data_dir: PathBuf,
    /// Port 0 picks a free one.
    pub addr: SocketAddr,
    /// Buckets that exist from the start.
    pub buckets: Vec<String>,
    pub access_key: String,
    pub secret_key: String,
    /// Origins whose pages may use the server, such as `http://127.0.0.1:8080`.
    pub cors_origins: Vec<String>,
}

/// Why the storage server did not start.
#[derive(Debug, thiserror::Error)]
pub enum S3ServerError {
    #[error("failed to listen on {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("failed to open the object store in {}", folder.display())]
    Store { folder: PathBuf, source: io::Error },
    #[error("{0:?} is not an origin")]
    Origin(String),
}

/// A storage server that is bound and not yet serving.
pub struct S3Server {
    /// Where it listens.
    pub addr: SocketAddr,
    listener: TcpListener,
    service: Guarded,
}

/// The protocol, with what browsers are told about it.
type Guarded = SetResponseHeader<Cors<S3Service>, HeaderValue>;

impl S3Server {
    /// Opens the store and binds the socket.
    pub async fn bind(options: S3Options) -> Result<Self, S3ServerError> {
        let S3Options {
            data_dir,
            addr,
            buckets,
            access_key,
            secret_key,
            cors_origins,
        } = options;
        let cors = cors(&cors_origins)?;
        let listener = TcpListener::bind(addr)
            .await
            .map_err(|source| S3ServerError::Listen { addr, source })?;
        let addr = listener
            .local_addr()
            .map_err(|source| S3ServerError::Listen { addr, source })?;
        let folder = data_dir.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&data_dir, &buckets)).await;
        let store = store.map_err(io::Error::other).flatten();
        let store = store.map_err(|source| S3ServerError::Store { folder, source })?;

        let mut builder = S3ServiceBuilder::new(Service(Arc::new(store)));
        builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
        Ok(Self {
            addr,
            listener,
            // What people uploaded is what its type says, and nothing that a browser may guess.
            service: SetResponseHeaderLayer::overriding(
                X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            )
            .layer(cors.layer(builder.build())),
        })
    }

    /// Serves until `shutdown`, then lets running requests finish within 5 s.
    pub async fn run(self, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let abort = CancellationToken::new();
        loop {
            let stream = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Usually too many open files: accepting again at once would only spin.
                        tracing::warn!(%error, "the storage server could not accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            connections.spawn(serve(
                stream,
                self.service.clone(),
                shutdown.clone(),
                abort.clone(),
            ));
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(GRACE, connections.wait())
            .await
            .is_err()
        {
            abort.cancel();
            connections.wait().await;
        }
    }
}

async fn serve(
    stream: TcpStream,
    service: Guarded,
    shutdown: CancellationToken,
    abort: CancellationToken,
) {
    // Answers are written in few large pieces: waiting to join small ones only delays.
    let _best_effort = stream.set_nodelay(true);
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30));
    let connection =
        server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = abort.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the storage server broke");
    }
}

fn cors(origins: &[String]) -> Result<CorsLayer, S3ServerError> {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .map(|origin| {
            origin
                .trim_end_matches('/')
                .parse()
                .map_err(|_| S3ServerError::Origin(origin.clone()))
        })
        .collect::<Result<_, _>>()?;
    let exposed = [
        ETAG,
        CONTENT_RANGE,
        CONTENT_LENGTH,
        ACCEPT_RANGES,
        HeaderName::from_static("x-amz-request-id"),
    ];
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::PUT,
            Method::POST,
            Method::DELETE,
            Method::HEAD,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(Duration::from_secs(3600)))
}
