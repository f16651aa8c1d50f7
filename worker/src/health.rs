//! /health, /ready and /metrics of a worker, on a port of their own.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Dependencies, room::RoomState};

/// The server, bound but not serving yet, so that a port that is taken is known before work begins.
pub(crate) struct Health {
    listener: TcpListener,
    router: Router,
}

impl Health {
    pub(crate) async fn bind(
        address: SocketAddr,
        dependencies: Dependencies,
        room: Arc<RoomState>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on worker.health_listen {address}"))?;
        let router = Router::new()
            .route("/health", get(|| async { Json(json!({ "status": "ok" })) }))
            .route("/ready", get(ready))
            .route(
                "/metrics",
                get(|| async { millrace_config::metrics().render() }),
            )
            .with_state(Arc::new((dependencies, room)));
        Ok(Self { listener, router })
    }

    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let upkeep = tokio::spawn(
            shutdown
                .clone()
                .run_until_cancelled_owned(millrace_config::keep_metrics()),
        );
        let served = axum::serve(self.listener, self.router)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await;
        // It ended with the server, by the same token.
        let _ = upkeep.await;
        if let Err(error) = served {
            tracing::error!(%error, "the health server failed");
        }
    }
}

async fn ready(
    State(state): State<Arc<(Dependencies, Arc<RoomState>)>>,
) -> (StatusCode, Json<Value>) {
    let (dependencies, room) = &*state;
    let word =
        |check: anyhow::Result<()>| check.map_or_else(|e| format!("{e:#}"), |()| "ok".to_owned());
    let (database, storage) =
        tokio::join!(dependencies.check_database(), dependencies.check_storage());
    let ok = database.is_ok() && storage.is_ok();
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": if ok { "ok" } else { "unavailable" },
        // A worker that rests from media work is ready all the same: its other queues go on.
        "checks": { "database": word(database), "storage": word(storage), "media": room.word() },
    });
    (status, Json(body))
}
