//! Events: only whom they are about is read, never what they say.

use serde::Deserialize;

use super::objects::id_of;
use crate::{Code, Error};

/// A notice that something may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`; the same in every delivery.
    pub id: String,
    /// Such as `customer.subscription.updated`.
    pub kind: String,
    /// When it happened, in seconds since 1970. Says nothing about order: several events share a second.
    pub created_s: i64,
    /// The customer whose subscriptions may have changed; `None` for events that change none.
    pub customer_id: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    created: i64,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    object: Object,
}

#[derive(Default, Deserialize)]
struct Object {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    customer: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference(#[serde(deserialize_with = "id_of")] String);

impl Event {
    /// Reads an event of any API version.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` where it has no id or type.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let value: serde_json::Value = serde_json::from_slice(body)
            .map_err(|error| Error::new(Code::InvalidJson, "An event must be JSON.").log(error))?;
        // Thin events and unknown ones may hold their object in another shape: they are about nobody.
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        if !changes_a_subscription(&kind) {
            let (Some(id), false) = (value["id"].as_str(), kind.is_empty()) else { return Err(not_an_event()) };
            let created_s = value["created"].as_i64().unwrap_or_default();
            return Ok(Self { id: id.to_owned(), kind, created_s, customer_id: None });
        }
        let Envelope { id, kind, created, data } =
            serde_json::from_value(value).map_err(|error| not_an_event().log(error))?;
        let customer_id = match kind.as_str() {
            "customer.deleted" => data.object.id,
            _ => data.object.customer.map(|customer| customer.0),
        };
        Ok(Self { id, kind, created_s: created, customer_id })
    }
}

fn not_an_event() -> Error {
    Error::new(Code::InvalidBody, "An event must have `id`, `type` and the object that it is about.")
}

fn changes_a_subscription(kind: &str) -> bool {
    kind.starts_with("customer.subscription.")
        || kind.starts_with("checkout.session.")
        || matches!(
            kind,
            "customer.deleted"
                | "invoice.paid"
                | "invoice.payment_failed"
                | "invoice.payment_action_required"
                | "invoice.marked_uncollectible"
                | "invoice.voided"
        )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn customer_of(event: serde_json::Value) -> Option<String> {
        Event::parse(event.to_string().as_bytes()).unwrap().customer_id
    }

    #[test]
    fn whom_an_event_is_about_is_found_in_every_shape() {
        let event = |kind: &str, object: serde_json::Value| json!({ "id": "evt_1", "type": kind, "data": { "object": object } });
        let cus = Some("cus_1".to_owned());
        assert_eq!(customer_of(event("customer.subscription.updated", json!({ "customer": "cus_1", "x": [1] }))), cus);
        assert_eq!(customer_of(event("invoice.paid", json!({ "id": "in_1", "customer": { "id": "cus_1" } }))), cus);
        assert_eq!(customer_of(event("customer.deleted", json!({ "id": "cus_1", "deleted": true }))), cus);
        assert_eq!(customer_of(event("checkout.session.expired", json!({ "customer": null }))), None);
        assert_eq!(customer_of(event("payment_intent.succeeded", json!({ "customer": "cus_1" }))), None);
        assert_eq!(customer_of(json!({ "id": "evt_1", "type": "v2.core.ping", "data": 7 })), None);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        assert_eq!(Event::parse(b"{").unwrap_err().code(), Code::InvalidJson);
        for body in [
            json!(null),
            json!({}),
            json!({ "id": "evt_1" }),
            json!({ "type": "invoice.paid" }),
            json!({ "id": "evt_1", "type": "invoice.paid", "data": { "object": { "customer": 7 } } }),
        ] {
            assert_eq!(Event::parse(body.to_string().as_bytes()).unwrap_err().code(), Code::InvalidBody, "{body}");
        }
    }
}
