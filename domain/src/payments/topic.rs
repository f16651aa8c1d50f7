//! Who is told that an order changed. Events name ids only: readers ask for the row.

use millrace_bus::{Event, Hint};
use serde_json::json;
use sqlx::PgConnection;

use super::Payment;
use crate::{ids::PaymentId, videos::topic_of_user};

/// The topic that follows one order.
pub fn topic_of_order(id: PaymentId) -> String {
    format!("order:{id}")
}

/// Tells the order's topic, and its payer's, that it changed. Call it last in the transaction.
///
/// # Errors
/// Those of the statement.
pub async fn announce(conn: &mut PgConnection, payment: &Payment) -> Result<Hint, sqlx::Error> {
    let data = json!({ "type": "order", "id": payment.id });
    let payer = payment.user_id.map(topic_of_user);
    let topics = [Some(topic_of_order(payment.id)), payer];
    let events: Vec<Event> = topics
        .into_iter()
        .flatten()
        .map(|topic| Event {
            topic,
            data: data.clone(),
        })
        .collect();
    millrace_bus::publish(conn, &events).await
}
