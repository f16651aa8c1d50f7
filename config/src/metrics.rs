//! The metrics of the process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// What all `metrics` macros of this process have counted, to be rendered for Prometheus. The first call installs
/// the recorder: an API and a worker in one process share it.
pub fn metrics() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Another recorder, which only a test could have set, keeps counting for itself.
        let _ = ::metrics::set_global_recorder(recorder);
        handle
    })
}
