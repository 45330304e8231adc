//! The plan that is paid for: Stripe's word, the store and the limiter brought together.
//!
//! Everything ends in one step, `Billing::sync`: read all that Stripe says about the customer, write it down, and make
//! the plan hold from the next request on. An event, a click on "upgrade" and the nightly check only say for whom.

mod checkout;
mod reconcile;
mod return_path;
mod sync;
mod webhook;

pub use checkout::Door;
pub(crate) use checkout::nothing_sold;
pub use reconcile::Reconciled;
pub use return_path::ReturnPath;
pub use webhook::Outcome;

use crate::{
    limit::Limiter,
    store::Store,
    stripe::{Offer, Stripe},
};

/// What billing works with.
#[derive(Clone, Copy)]
pub struct Billing<'a> {
    /// Users and what Stripe said about them.
    pub store: &'a Store,
    /// Where the plan in force travels with every request.
    pub limiter: &'a Limiter,
    /// Stripe.
    pub stripe: &'a Stripe,
    /// What is sold.
    pub offer: &'a Offer,
}
