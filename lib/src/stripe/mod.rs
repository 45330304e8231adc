//! Stripe's API, as much of it as selling one plan needs: customers, Checkout, the billing portal, subscriptions, and
//! signed events.
//!
//! Small and tolerant on purpose. Objects are read field by field, whatever else they hold, so that another API
//! version of a webhook endpoint or a new field breaks nothing; generated clients refuse such events whole.
//! Shapes are those of API version [`VERSION`] (docs.stripe.com/api, 2026-11).

mod client;
mod entitlement;
mod error;
mod event;
mod form;
mod objects;
mod reads;
mod signature;
mod writes;

pub use client::{Stripe, VERSION};
pub use entitlement::{Entitlement, Offer, Reading};
pub use error::StripeError;
pub use event::Event;
pub use form::Form;
pub use objects::{CheckoutSession, Customer, Status, Subscription};
pub use signature::{SignatureError, TOLERANCE_S, sign, verify};
pub use writes::{CheckoutWish, ReturnUrls};
