//! Calls to our webhook: signed, repeated until they are taken, and late, doubled, backwards or lost where that was asked
//! for.

use std::time::Duration;

use millrace_domain::payments::signature;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{book::now, server::Shared};

/// How often a call is made that nobody takes. They try for days; a sandbox is not kept running for so long.
const TRIES: u32 = 12;
/// The first wait; each is twice the one before, up to a minute.
const WAIT: Duration = Duration::from_millis(250);

/// What becomes of calls.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Weather {
    next: Option<u32>,
    delay_ms: u64,
    copies: Option<u32>,
    reorder: usize,
    drop: bool,
}

/// How it stands with calls.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    weather: Weather,
    held: Vec<String>,
    sent: u64,
    failed: u64,
    dropped: u64,
}

/// Calls to make.
pub(super) struct Due {
    pub(super) event: String,
    pub(super) delay: Duration,
}

impl Deliveries {
    pub(super) fn set(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(super) fn show(&self) -> Value {
        json!({"sent": self.sent, "failed": self.failed, "dropped": self.dropped, "held": self.held.len()})
    }

    /// What is gathered, backwards.
    pub(super) fn release(&mut self) -> Vec<Due> {
        let held = std::mem::take(&mut self.held);
        held.into_iter()
            .rev()
            .map(|event| Due {
                event,
                delay: Duration::ZERO,
            })
            .collect()
    }

    /// Which calls to make now that something happened.
    pub(super) fn due(&mut self, event: String) -> Vec<Due> {
        let weather = self.weather.clone();
        if let Some(next) = &mut self.weather.next {
            *next = next.saturating_sub(1);
            if *next == 0 {
                self.weather = Weather::default();
            }
        }
        if weather.drop {
            self.dropped += 1;
            return Vec::new();
        }
        if weather.reorder > 0 {
            self.held.push(event);
            return if self.held.len() >= weather.reorder {
                self.release()
            } else {
                Vec::new()
            };
        }
        let delay = Duration::from_millis(weather.delay_ms);
        (0..weather.copies.unwrap_or(1))
            .map(|_| Due {
                event: event.clone(),
                delay,
            })
            .collect()
    }

    fn count(&mut self, taken: bool) {
        if taken {
            self.sent += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// Makes one call until it is taken.
pub(super) async fn deliver(shared: Shared, due: Due) {
    tokio::time::sleep(due.delay).await;
    let Some(body) = shared.read(|book| book.get("event", &due.event).map(Value::to_string)) else {
        return;
    };
    for tried in 0..TRIES {
        let header = signature::sign(shared.webhook_secret.as_bytes(), now(), body.as_bytes());
        let call = shared
            .http
            .post(&shared.webhook_url)
            .header("stripe-signature", header)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.clone())
            .send()
            .await;
        let taken = call.is_ok_and(|answer| answer.status().is_success());
        shared.deliveries().count(taken);
        if taken {
            return;
        }
        tokio::time::sleep((WAIT * 2u32.pow(tried)).min(Duration::from_secs(60))).await;
    }
    tracing::warn!(
        event.id = due.event,
        "the payment sandbox gave up telling of an event"
    );
}
