//! The metrics of the process.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Histograms that end in `_seconds`: from a fast request to a long encode.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0,
];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// What all `metrics` macros of this process have counted, to be rendered for Prometheus. The first call installs
/// the recorder: an API and a worker in one process share it.
pub fn metrics() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder, which only a test could have set, keeps counting for itself.
        let _ = ::metrics::set_global_recorder(recorder);
        handle
    })
}

/// Folds histograms now and then, for ever, so that they do not grow while nobody scrapes. Run one per process.
pub async fn keep_metrics() {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics().run_upkeep();
    }
}
