//! Stripe's objects, as far as they are read. Unknown fields and unknown values are no error.

use serde::{Deserialize, Deserializer};

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// `sub_…`.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// A scheduled end in seconds since 1970.
    #[serde(default)]
    pub cancel_at: Option<i64>,
    /// Whether it ends with the period.
    #[serde(default)]
    pub cancel_at_period_end: bool,
    /// What it is for.
    #[serde(default)]
    pub items: Items,
}

/// The items of a subscription. More than ten of them are on further pages, which nobody who sells one plan needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Items {
    /// The items.
    #[serde(default)]
    pub data: Vec<Item>,
}

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// Its price.
    #[serde(deserialize_with = "id_of")]
    pub price: String,
    /// When the paid period began, in seconds since 1970. On the item since API version 2025-03-31.
    #[serde(default)]
    pub current_period_start: Option<i64>,
    /// When it ends.
    #[serde(default)]
    pub current_period_end: Option<i64>,
}

/// Where a subscription stands (`status` of docs.stripe.com/api/subscriptions/object, 2026-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The first payment is not finished; it has 23 hours.
    Incomplete,
    /// It was not finished in time. Ended.
    IncompleteExpired,
    /// A trial runs.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed and is tried again.
    PastDue,
    /// Ended.
    Canceled,
    /// All attempts failed; it goes on without being paid.
    Unpaid,
    /// A trial ended without a way to pay, or somebody paused it.
    Paused,
    /// One that is not known here.
    #[serde(other)]
    Unknown,
}

/// A Checkout session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckoutSession {
    /// `cs_…`.
    pub id: String,
    /// Where the customer pays; only while it is open.
    #[serde(default)]
    pub url: Option<String>,
    /// `open`, `complete` or `expired`.
    #[serde(default)]
    pub status: Option<String>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// `cus_…`.
    pub id: String,
    /// What remains of a customer is answered with 200.
    #[serde(default)]
    pub deleted: bool,
    /// Ours: whose customer it is.
    #[serde(default)]
    pub metadata: Metadata,
}

/// What we write on Stripe's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// The user's id.
    #[serde(default)]
    pub user_id: Option<String>,
}

/// An invoice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Invoice {
    pub(super) id: String,
    /// In seconds since 1970.
    pub(super) created: i64,
}

/// A billing portal session.
#[derive(Deserialize)]
pub(super) struct PortalSession {
    pub(super) url: String,
}

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// Anything: an answer of which only the status matters.
#[derive(Deserialize)]
pub(super) struct Anything {}

impl Status {
    /// Stripe's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Canceled => "canceled",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the subscription can still be mended, so that its owner belongs into the billing portal and not into
    /// a second Checkout. An unfinished first payment is none yet: the portal does not show it.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue | Self::Unpaid | Self::Paused | Self::Unknown)
    }
}

/// An id, or the object that it names (Stripe expands objects where asked).
pub(super) fn id_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Id(String),
        Object { id: String },
    }
    Either::deserialize(deserializer).map(|either| match either {
        Either::Id(id) | Either::Object { id } => id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_read_whatever_else_it_holds() {
        let text = r#"{"id":"sub_1","object":"subscription","status":"active","plan":{"id":"old"},"cancel_at":null,
            "items":{"object":"list","data":[{"id":"si_1","price":{"id":"price_pro","product":"prod_1"},
            "current_period_start":1,"current_period_end":2,"quantity":1}]}}"#;
        let subscription: Subscription = serde_json::from_str(text).unwrap();
        assert_eq!(subscription.items.data[0].price, "price_pro");
        assert_eq!((subscription.status, subscription.cancel_at_period_end), (Status::Active, false));
        // Before 2025-03-31 the period stood on the subscription; a status of the future is not known.
        let text = r#"{"id":"sub_1","status":"hibernating","current_period_end":2,"items":{"data":[{"price":"p"}]}}"#;
        let subscription: Subscription = serde_json::from_str(text).unwrap();
        assert_eq!((subscription.status, subscription.items.data[0].current_period_end), (Status::Unknown, None));
    }

    #[test]
    fn every_status_has_stripes_name() {
        for status in
            ["incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"]
        {
            let read: Status = serde_json::from_value(status.into()).unwrap();
            assert_eq!(read.as_str(), status);
        }
    }
}
