//! Objects in the shapes of API version 2026-10-28, and of an old one.

use serde_json::{Value, json};

const MONTH_S: i64 = 30 * 86_400;

pub(super) fn customer(id: &str, email: Option<&str>, metadata: Value, created_s: i64) -> Value {
    json!({
        "id": id, "object": "customer", "address": null, "balance": 0, "created": created_s, "currency": null,
        "delinquent": false, "email": email, "livemode": false, "metadata": metadata, "name": null, "shipping": null,
    })
}

pub(super) fn checkout_session(id: &str, customer: &str, price: &str) -> Value {
    json!({
        "id": id, "object": "checkout.session", "mode": "subscription", "status": "open", "payment_status": "unpaid",
        "customer": customer, "subscription": null, "livemode": false, "ui_mode": "hosted_page",
        "url": format!("https://checkout.stripe.com/c/pay/{id}"), "double_price": price,
    })
}

pub(super) fn portal_session(id: &str, customer: &str, return_url: &str) -> Value {
    json!({
        "id": id, "object": "billing_portal.session", "customer": customer, "livemode": false,
        "return_url": return_url, "url": format!("https://billing.stripe.com/p/session/{id}"),
    })
}

pub(super) fn subscription(id: &str, customer: &str, price: &str, status: &str, start_s: i64) -> Value {
    json!({
        "id": id, "object": "subscription", "customer": customer, "status": status, "created": start_s,
        "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null, "collection_method": "charge_automatically",
        "ended_at": null, "latest_invoice": null, "livemode": false, "metadata": {}, "start_date": start_s,
        "items": { "object": "list", "has_more": false, "total_count": 1, "url": "/v1/subscription_items", "data": [{
            "id": id.replace("sub", "si"), "object": "subscription_item", "created": start_s, "quantity": 1,
            "current_period_start": start_s, "current_period_end": start_s + MONTH_S, "subscription": id,
            "price": { "id": price, "object": "price", "active": true, "currency": "usd", "type": "recurring",
                "product": "prod_1", "unit_amount": 2000, "recurring": { "interval": "month", "interval_count": 1 } },
        }] },
    })
}

pub(super) fn invoice(id: &str, customer: &str, subscription: &str, status: &str, created_s: i64) -> Value {
    json!({
        "id": id, "object": "invoice", "customer": customer, "status": status, "created": created_s, "livemode": false,
        "parent": { "type": "subscription_details", "subscription_details": { "subscription": subscription } },
    })
}

/// An event's envelope.
pub(super) fn event(id: &str, kind: &str, object: &Value, version: &str, created_s: i64) -> Value {
    json!({
        "id": id, "object": "event", "api_version": version, "created": created_s, "livemode": false,
        "pending_webhooks": 1, "request": { "id": null, "idempotency_key": null }, "type": kind,
        "data": { "object": object },
    })
}

/// The same object as an endpoint sees it that was made years ago: periods on the subscription, the subscription on the
/// invoice, prices also as plans.
pub(super) fn in_old_shape(object: &Value) -> Value {
    let mut old = object.clone();
    if object["object"] == "subscription" {
        let item = &mut old["items"]["data"][0];
        let (start, end) = (item["current_period_start"].take(), item["current_period_end"].take());
        item.as_object_mut().unwrap().retain(|name, _| !name.starts_with("current_period"));
        old["current_period_start"] = start;
        old["current_period_end"] = end;
        old["plan"] = json!({ "id": object["items"]["data"][0]["price"]["id"], "object": "plan" });
    }
    if object["object"] == "invoice" {
        old["subscription"] = object["parent"]["subscription_details"]["subscription"].clone();
        old.as_object_mut().unwrap().remove("parent");
    }
    old
}
