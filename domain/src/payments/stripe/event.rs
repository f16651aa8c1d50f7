//! What an event is about. What it says of it is not read: the object is fetched when the event is handled.

use serde::Deserialize;
use serde_json::Value;

use super::wire::time;
use crate::payments::{About, Delivery, ProviderError};

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// Reads an event, in the shape of any version of theirs: an endpoint's version is set at their side.
pub(super) fn read(body: &[u8]) -> Result<Delivery, ProviderError> {
    let nonsense = |what: &str| ProviderError::Answer(format!("an event {what}"));
    let event: Event =
        serde_json::from_slice(body).map_err(|error| nonsense(&error.to_string()))?;
    if event.id.is_empty() || event.id.len() > 255 || event.kind.len() > 100 {
        return Err(nonsense("with an id or a type of another length"));
    }
    let object = &event.data.object;
    Ok(Delivery {
        about: about(object),
        object_id: text(&object["id"]),
        at: time(event.created)?,
        event_id: event.id,
        kind: event.kind,
        body: body.to_vec(),
    })
}

fn about(object: &Value) -> About {
    let id = text(&object["id"]);
    let found = match object["object"].as_str().unwrap_or_default() {
        "checkout.session" => id.map(About::Session),
        "payment_intent" => id.map(About::Intent),
        "charge" | "refund" | "dispute" => text(&object["payment_intent"]).map(About::Intent),
        "subscription" => id.map(About::Subscription),
        "invoice" => id.map(|invoice| About::Invoice {
            invoice,
            subscription: text(&object["parent"]["subscription_details"]["subscription"])
                .or_else(|| text(&object["subscription"])),
        }),
        _ => None,
    };
    found.unwrap_or(About::Nothing)
}

/// An id, of an object or of a mention of it.
fn text(value: &Value) -> Option<String> {
    let id = value.as_str().or_else(|| value["id"].as_str())?;
    (!id.is_empty()).then(|| id.to_owned())
}
