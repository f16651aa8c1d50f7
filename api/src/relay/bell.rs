//! Which topics are to be looked at.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::topic::Topic;

/// Rung by hubs that heard something, answered by the reader.
#[derive(Debug, Default)]
pub(super) struct Bell {
    topics: Mutex<HashSet<Topic>>,
    rung: Notify,
}

impl Bell {
    /// Asks for a look at `topic`.
    pub(super) fn ring(&self, topic: Topic) {
        self.topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(topic);
        self.rung.notify_one();
    }

    /// Waits until somebody rang since the last [`Bell::take`].
    pub(super) async fn rung(&self) {
        self.rung.notified().await;
    }

    /// For whom it was rung.
    pub(super) fn take(&self) -> HashSet<Topic> {
        std::mem::take(&mut *self.topics.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
