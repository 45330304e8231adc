//! What is read from Stripe.

use serde::de::DeserializeOwned;

use super::{
    CheckoutSession, Customer, Form, Reading, Status, Stripe, StripeError, Subscription,
    objects::{Invoice, Page},
};

/// The most that Stripe puts on a page.
const PAGE: &str = "100";
/// More pages than any customer of one plan has: an answer that never ends must not hold a function.
const PAGES_MAX: usize = 10;

impl Stripe {
    /// All subscriptions of a customer that have not been cancelled, as they stand now, and for those in arrears since
    /// when. `None` where the customer has been deleted.
    ///
    /// Reading the customer's whole standing, and not the one subscription that an event is about, makes every event
    /// repair what an earlier one failed to bring.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn subscriptions(&self, customer_id: &str) -> Result<Option<Vec<Reading>>, StripeError> {
        let query = Form::default().with("customer", customer_id).with("limit", PAGE);
        let found = self.pages("/v1/subscriptions", query, |one: &Subscription| one.id.clone()).await;
        let subscriptions = match found {
            // Only a customer who is known to have been deleted has no subscriptions: to a key of another account or
            // mode all customers are missing.
            Err(error) if error.is_missing("customer") => {
                return if self.customer(customer_id).await?.deleted { Ok(None) } else { Err(error) };
            }
            found => found?,
        };
        let mut readings = Vec::new();
        for subscription in subscriptions {
            let in_arrears_since_s = match subscription.status {
                Status::PastDue => self.in_arrears_since_s(&subscription.id).await?,
                _ => None,
            };
            readings.push(Reading { subscription, in_arrears_since_s });
        }
        Ok(Some(readings))
    }

    /// Since when a subscription has not been paid: the time of its oldest open invoice, in seconds since 1970.
    async fn in_arrears_since_s(&self, subscription_id: &str) -> Result<Option<i64>, StripeError> {
        let query = Form::default().with("subscription", subscription_id).with("status", "open").with("limit", PAGE);
        let invoices = self.pages("/v1/invoices", query, |one: &Invoice| one.id.clone()).await?;
        Ok(invoices.iter().map(|invoice| invoice.created).min())
    }

    /// A Checkout session.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn checkout_session(&self, id: &str) -> Result<CheckoutSession, StripeError> {
        self.get(&format!("/v1/checkout/sessions/{id}"), &Form::default()).await
    }

    /// A customer, or what remains of one.
    ///
    /// # Errors
    /// [`StripeError`]; 404 where this account never had one of this id.
    pub async fn customer(&self, id: &str) -> Result<Customer, StripeError> {
        self.get(&format!("/v1/customers/{id}"), &Form::default()).await
    }

    /// All entries of a list, newest first.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Form,
        id: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, StripeError> {
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let after = all.last().map(&id);
            let query = query.clone().with_some("starting_after", after.as_deref());
            let page: Page<T> = self.get(path, &query).await?;
            let is_last = !page.has_more || page.data.is_empty();
            all.extend(page.data);
            if is_last {
                return Ok(all);
            }
        }
        Err(StripeError::Nonsense("a list without an end"))
    }
}
