//! The message bus of Millrace over PostgreSQL: ordered topics whose rows are the truth, and NOTIFY as a hint.
//!
//! A publisher writes [`Event`]s with [`publish`] in its own transaction and fires the returned [`Hint`] after
//! commit. A reader listens with a [`Listener`], and reads [`heads`] and [`events_since`] when it hears something,
//! or when its poll says so. Topic names are opaque here.

/// Transactions whose beginning may be given up.
mod begin;
/// Durable events per topic, numbered without gaps in commit order.
mod event;
/// One LISTEN connection per process, rebuilt whenever it dies.
mod listener;
/// One NOTIFY connection per process, flushed in batches outside every business transaction.
mod notifier;

pub use begin::{begin, begin_as};
pub use event::{
    Event, Head, Hint, StoredEvent, events_after, events_since, heads, prune, publish, touch,
};
pub use listener::{Heard, Listener, Subscription};
pub use notifier::Notifier;

/// The channel on which names of topics with new events are notified.
pub const EVENTS: &str = "bus";
/// The channel on which names of topics are notified whose state moved without an event (progress).
pub const TOUCHED: &str = "bus_touched";
