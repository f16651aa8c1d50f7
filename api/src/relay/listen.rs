//! What is heard of the database, and the position check, which finds what was not heard.

use std::{collections::HashMap, sync::Arc, time::Duration};

use millrace_bus::{EVENTS, Head, Heard, Listener, TOUCHED, heads};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Relay,
    hub::{Hub, News},
    topic::Topic,
};

/// How often subscribed topics are compared while nothing can be heard, and how often it is asked whether one can.
const WHILE_DEAF: Duration = Duration::from_millis(500);

impl Relay {
    /// Hears and checks positions until shutdown.
    pub(super) async fn listen(self, listener: Listener) {
        let mut subscription = listener.subscribe();
        let mut ticks = interval(WHILE_DEAF);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = Instant::now();
        loop {
            tokio::select! {
                heard = subscription.next() => self.heard(&heard),
                _ = ticks.tick() => {
                    if !listener.is_up() || checked.elapsed() >= self.inner.options.position_check {
                        self.check_positions().await;
                        checked = Instant::now();
                    }
                }
                () = self.inner.shutdown.cancelled() => return,
            }
        }
    }

    fn heard(&self, heard: &Heard) {
        match heard {
            Heard::Notice { channel, payload } => {
                let Ok(topic) = payload.parse::<Topic>() else {
                    return;
                };
                let Some(hub) = self.hubs().get(&topic).cloned() else {
                    return;
                };
                if **channel == *EVENTS {
                    hub.heard(News::EVENTS);
                } else if **channel == *TOUCHED {
                    hub.heard(News::PROGRESS);
                }
            }
            Heard::Gap => {
                for hub in self.hubs().values() {
                    hub.heard(News::EVENTS);
                    hub.heard(News::PROGRESS);
                }
            }
        }
    }

    /// One query for all topics with local subscribers.
    async fn check_positions(&self) {
        let hubs: Vec<Arc<Hub>> = self.hubs().values().cloned().collect();
        if hubs.is_empty() {
            return;
        }
        let names: Vec<String> = hubs.iter().map(|hub| hub.name.clone()).collect();
        match heads(&self.inner.source.db, &names).await {
            Ok(heads) => {
                let heads: HashMap<String, Head> = heads.into_iter().collect();
                for hub in hubs {
                    hub.check(heads.get(&hub.name).copied().unwrap_or(Head::NONE));
                }
            }
            Err(error) => tracing::warn!(%error, "could not check the positions of topics"),
        }
    }
}
