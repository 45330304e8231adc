//! An event: a reason to read, and nothing more.

use super::Billing;
use crate::{
    Error,
    store::Ticket,
    stripe::{Event, StripeError},
};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changes no subscription.
    Ignored,
    /// It had its effect before.
    Repeated,
    /// It is about a customer of somebody else: several applications may share a Stripe account.
    Foreign,
    /// It had its effect.
    Taken,
}

impl Outcome {
    /// For the answer and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Repeated => "repeated",
            Self::Foreign => "foreign",
            Self::Taken => "taken",
        }
    }
}

impl Billing<'_> {
    /// Takes an event whose signature fits. Duplicates, late ones and those in the wrong order end in the same plan:
    /// that which Stripe names now.
    ///
    /// # Errors
    /// `stripe_*`, `store_unavailable`, `limiter_unavailable`: Stripe should deliver the event again. What was written
    /// before the error stays right; the next delivery completes it.
    pub async fn take_event(&self, event: &Event) -> Result<Outcome, Error> {
        let Some(customer_id) = &event.customer_id else { return Ok(Outcome::Ignored) };
        if let Some(user_id) = self.store.user_of_event(&event.id).await? {
            // The first delivery may have failed between the store and the limiter.
            if let Some(in_force) = self.store.plan_in_force(&user_id).await? {
                self.announce_plan(&user_id, &in_force).await?;
            }
            return Ok(Outcome::Repeated);
        }
        let Some(ticket) = self.ticket(customer_id).await? else { return Ok(Outcome::Foreign) };
        self.sync(&ticket, customer_id, Some(event)).await?;
        Ok(Outcome::Taken)
    }

    /// A ticket for a customer of ours. One that is not known here may name its user at Stripe: the store was put back
    /// to an earlier state, or somebody made the customer by hand.
    async fn ticket(&self, customer_id: &str) -> Result<Option<Ticket>, Error> {
        if let Some(ticket) = self.store.begin_reading(customer_id).await? {
            return Ok(Some(ticket));
        }
        let customer = match self.stripe.customer(customer_id).await {
            Err(StripeError::Refused { status: 404, .. }) => return Ok(None),
            read => read?,
        };
        if let Some(user_id) = customer.metadata.user_id.filter(|_| !customer.deleted) {
            self.store.adopt_customer(&user_id, customer_id).await?;
        }
        Ok(self.store.begin_reading(customer_id).await?)
    }
}
