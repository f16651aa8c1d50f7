//! Journeys and faults over the real stack. Run them with `make test`, or `with_postgres -- cargo test -p millrace-tests`
//! after `cargo build --workspace`.

/// The pipeline alone: a source becomes segments.
mod pipeline;
