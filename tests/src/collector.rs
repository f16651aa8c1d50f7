//! A collector of OpenTelemetry traces: it takes OTLP over HTTP and remembers the spans.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{self, status::StatusCode as SpanStatus},
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};

/// A span as it arrived; ids are hexadecimal.
#[derive(Debug, Clone)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub is_error: bool,
    pub attributes: HashMap<String, String>,
}

/// The collector. Dropped, it is gone.
pub struct Collector {
    /// For `telemetry.otlp_endpoint`.
    pub address: String,
    spans: Arc<Mutex<Vec<Span>>>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Collector {
    /// Starts one.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let spans = Arc::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&spans));
        Ok(Self {
            address,
            spans,
            server: tokio::spawn(axum::serve(listener, router).into_future()),
        })
    }

    /// What has arrived of a trace.
    pub fn trace(&self, id: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = spans.iter().filter(|span| span.trace == id);
        of_it.cloned().collect()
    }

    /// The only span of a trace with this name.
    ///
    /// # Errors
    /// That there is none, or that there are several.
    pub fn one(&self, trace: &str, name: &str) -> Result<Span> {
        let spans = self.trace(trace);
        let mut named = spans.iter().filter(|span| span.name == name);
        let span = named
            .next()
            .with_context(|| format!("no {name} in {spans:#?}"))?;
        anyhow::ensure!(named.next().is_none(), "several {name} in {spans:#?}");
        Ok(span.clone())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(spans): State<Arc<Mutex<Vec<Span>>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
    for resource in request.resource_spans {
        let about = resource.resource.unwrap_or_default();
        let service = attributes(&about.attributes)
            .remove("service.name")
            .unwrap_or_default();
        let arrived = resource.scope_spans.into_iter().flat_map(|s| s.spans);
        spans.extend(arrived.map(|span| read(&service, &span)));
    }
    StatusCode::OK
}

fn read(service: &str, span: &v1::Span) -> Span {
    let status = span.status.as_ref();
    Span {
        service: service.to_owned(),
        name: span.name.clone(),
        trace: hex::encode(&span.trace_id),
        id: hex::encode(&span.span_id),
        parent: hex::encode(&span.parent_span_id),
        is_error: status.is_some_and(|status| status.code() == SpanStatus::Error),
        attributes: attributes(&span.attributes),
    }
}

fn attributes(pairs: &[KeyValue]) -> HashMap<String, String> {
    let text = |value: &AnyValue| match value.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(truth) => Some(truth.to_string()),
        _ => None,
    };
    pairs
        .iter()
        .filter_map(|pair| Some((pair.key.clone(), text(pair.value.as_ref()?)?)))
        .collect()
}
