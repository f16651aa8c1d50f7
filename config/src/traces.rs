//! OpenTelemetry traces, as `[telemetry]` says: spans with the target `otel::tracing` go to a collector by OTLP over HTTP.
//!
//! Nobody waits for the collector. Spans are queued up to a bound, sent by a thread of their own, and dropped while it is
//! away; the log says so.

use std::time::Duration;

use async_trait::async_trait;
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{ConfigError, Telemetry, variable};

/// How long one batch may take on its way.
const EXPORT_WITHIN: Duration = Duration::from_secs(5);
/// How long the last spans may take when the process ends.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

/// The traces of a process. Call [`Traces::end`] last of all.
#[derive(Debug)]
#[must_use = "the last spans are sent by `end`"]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Starts sending if a collector is configured. Within a tokio runtime, which must outlive it.
    pub(crate) fn start(telemetry: &Telemetry, service: &'static str) -> Result<Self, ConfigError> {
        let Some(endpoint) = endpoint(telemetry) else {
            return Ok(Self(None));
        };
        let refuse = |problem: String| ConfigError::Invalid {
            key: "telemetry.otlp_endpoint",
            problem,
        };
        let runtime = Handle::current();
        let exporter = SpanExporter::builder().with_http();
        let exporter = if endpoint.starts_with("https:") {
            let connector = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                .map_err(|error| refuse(format!("https cannot be used: {error}")))?
                .https_only()
                .enable_http1()
                .build();
            let client = HyperClient::new(connector, EXPORT_WITHIN, None);
            exporter.with_http_client(OnRuntime { client, runtime })
        } else {
            let client = HyperClient::with_default_connector(EXPORT_WITHIN, None);
            exporter.with_http_client(OnRuntime { client, runtime })
        };
        let exporter = exporter
            .with_endpoint(&endpoint)
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let mut provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(service));
        if variable("OTEL_TRACES_SAMPLER").is_none() {
            // Who began a trace has decided for all of it.
            let ratio = Sampler::TraceIdRatioBased(telemetry.sample_ratio);
            provider = provider.with_sampler(Sampler::ParentBased(Box::new(ratio)));
        }
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self(Some(provider.build())))
    }

    /// What makes the spans, if there is anybody to send them to.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        self.0.as_ref().map(|provider| provider.tracer("millrace"))
    }

    /// Sends the last spans, for at most 5 s. What the collector does not take by then is lost.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let flushed = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_WITHIN)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last traces did not reach the collector");
        }
    }
}

/// Where spans go: our own setting, or the variables that every program with OpenTelemetry knows.
fn endpoint(telemetry: &Telemetry) -> Option<String> {
    let below = |base: String| format!("{}/v1/traces", base.trim_end_matches('/'));
    if !telemetry.otlp_endpoint.is_empty() {
        return Some(below(telemetry.otlp_endpoint.clone()));
    }
    variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT").map(below))
}

fn resource(service: &'static str) -> Resource {
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are read by the builder.
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if variable("OTEL_SERVICE_NAME").is_some() {
        resource.build()
    } else {
        resource.with_service_name(service).build()
    }
}

/// A client whose requests run on our runtime: the thread that sends the batches has none.
#[derive(Debug)]
struct OnRuntime<C> {
    client: C,
    runtime: Handle,
}

#[async_trait]
impl<C: HttpClient + Clone + 'static> HttpClient for OnRuntime<C> {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime
            .spawn(async move { client.send_bytes(request).await })
            .await?
    }
}
