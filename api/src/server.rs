//! The process: services from the configuration, the listener served until shutdown, then a bounded drain.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use millrace_bus::{EVENTS, Listener, Notifier, TOUCHED};
use millrace_config::Config;
use millrace_domain::{
    accounts::Sealer,
    cache::Cache,
    email::UnsubscribeKey,
    storage::{Cdn, CdnKey, CdnOptions, Storage},
};
use millrace_jobs::{database_options, payment_provider, pool_options, storage_options};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Layer as _, ServiceExt as _};

use crate::{
    app::{App, Inner, Settings},
    auth::{AccessTokens, Passwords, SigningKey, TokenOptions},
    mediaconvert::EventSecrets,
    metrics,
    moderation::Words,
    playback::{CookieOptions, Delivery, Playback, PlaybackKey},
    relay::{Relay, RelayOptions},
    router,
    social::TicketKey,
};

/// How long a connection may take to send its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// How long requests may go on after shutdown was asked for, sockets included.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);

/// Serves the API on `listener` until `shutdown`, then lets requests end and closes sockets.
///
/// # Errors
/// A setting that is missing, or a database that cannot be reached at start.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    config.require_services()?;
    // The recorder, before anything is counted.
    millrace_config::metrics();
    let metrics_listener = TcpListener::bind(config.server.metrics_listen)
        .await
        .with_context(|| {
            format!(
                "server.metrics_listen: cannot listen on {}",
                config.server.metrics_listen
            )
        })?;
    // The bus outlives the requests: what they changed is told.
    let late = CancellationToken::new();
    let app = start(&config, &shutdown, &late).await?;
    let tasks = TaskTracker::new();
    tasks.spawn(serve(metrics_listener, metrics::router(), shutdown.clone()));
    tasks.spawn(
        shutdown
            .clone()
            .run_until_cancelled_owned(millrace_config::keep_metrics()),
    );
    let address = listener.local_addr()?;
    tracing::info!(%address, "the API serves {}", config.server.public_url);
    serve(listener, router::router(app.clone(), &config), shutdown).await;
    tasks.close();
    if timeout(DRAIN_WITHIN, async {
        tokio::join!(tasks.wait(), app.relay.ended())
    })
    .await
    .is_err()
    {
        tracing::warn!("some sockets did not close in time");
    }
    late.cancel();
    app.db.close().await;
    tracing::info!("the API has ended");
    Ok(())
}

async fn start(
    config: &Config,
    shutdown: &CancellationToken,
    late: &CancellationToken,
) -> anyhow::Result<App> {
    let (pooled, direct) = database_options(config).context("database.url cannot be read")?;
    let db = pool_options(config)
        .connect_with(pooled)
        .await
        .context("cannot reach the database (database.url)")?;
    let listener = Listener::start(direct.clone(), &[EVENTS, TOUCHED], late.clone());
    build(
        config,
        db,
        listener,
        Notifier::start(direct, late.clone()),
        shutdown.clone(),
    )
}

/// Puts the services together.
///
/// # Errors
/// A key that is missing.
pub(crate) fn build(
    config: &Config,
    db: sqlx::PgPool,
    listener: Listener,
    notifier: Notifier,
    shutdown: CancellationToken,
) -> anyhow::Result<App> {
    let auth = &config.auth;
    anyhow::ensure!(
        !auth.signing_key.is_empty(),
        "auth.signing_key: must be set"
    );
    anyhow::ensure!(
        !auth.sealing_key.is_empty(),
        "auth.sealing_key: must be set"
    );
    anyhow::ensure!(
        !config.playback.signing_key.is_empty(),
        "playback.signing_key: must be set"
    );
    let key = |id: &str, secret: &millrace_config::Secret| SigningKey {
        id: id.to_owned(),
        secret: secret.expose().to_owned(),
    };
    let tokens = AccessTokens::new(TokenOptions {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        ttl: auth.access_ttl,
        key: key(&auth.key_id, &auth.signing_key),
        previous: (!auth.previous_signing_key.is_empty())
            .then(|| key(&auth.previous_key_id, &auth.previous_signing_key)),
    });
    let playback = Playback::new(
        PlaybackKey::new(config.playback.signing_key.expose()),
        config.playback.private_ttl,
        delivery(config)?,
    );
    let options = RelayOptions {
        position_check: config.realtime.position_check,
        max_topics: config.realtime.max_topics,
    };
    Ok(App::new(Inner {
        relay: Relay::start(db.clone(), playback.clone(), listener, options, shutdown),
        cache: Cache::new(db.clone()),
        db,
        storage: Storage::new(&storage_options(config)),
        notifier,
        tokens,
        passwords: Passwords::new()?,
        sealer: Sealer::new(auth.sealing_key.expose()),
        playback,
        unsubscribe: (!config.email.signing_key.is_empty())
            .then(|| UnsubscribeKey::new(config.email.signing_key.expose())),
        watch_key: TicketKey::new(config.playback.signing_key.expose()),
        event_secrets: EventSecrets::new([
            &config.mediaconvert.event_secret,
            &config.mediaconvert.previous_event_secret,
        ]),
        words: Words::new(),
        provider: payment_provider(config)?,
        settings: Settings::new(config)?,
    }))
}

/// How media reaches players.
///
/// # Errors
/// A private key that is none.
fn delivery(config: &Config) -> anyhow::Result<Delivery> {
    let settings = &config.delivery;
    let Some(url) = settings.cdn()? else {
        return Ok(Delivery::from_store());
    };
    let cookies = CookieOptions {
        domain: settings.cookie_domain.clone(),
        path: format!("{}/", url.path().trim_end_matches('/')),
        secure: url.scheme() == "https",
        ttl: settings.cookie_ttl,
    };
    let key = (!settings.key_pair_id.is_empty()).then(|| CdnKey {
        id: settings.key_pair_id.clone(),
        pem: settings.private_key.expose().to_owned(),
    });
    let cdn = Cdn::new(&CdnOptions { url, key }).context("delivery.private_key")?;
    Ok(Delivery::from_cdn(cdn, cookies))
}

/// Accepts until `shutdown`, then lets connections end their requests. Not `axum::serve`: that one waits for ever
/// for headers that do not come.
async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(converse(stream, peer, router.clone(), shutdown.clone()));
            }
            Err(error) => {
                // Out of file descriptors, mostly: some will be freed.
                tracing::warn!(%error, "could not accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(DRAIN_WITHIN, connections.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    shutdown: CancellationToken,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = axum::Extension(ConnectInfo(peer)).layer(router);
    let service = TowerToHyperService::new(service.map_request(
        |request: axum::http::Request<hyper::body::Incoming>| request.map(axum::body::Body::new),
    ));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
