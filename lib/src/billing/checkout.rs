//! The way to pay: Checkout for those who do not, the billing portal for those who do.

use std::time::Duration;

use super::Billing;
use crate::{
    Code, Error, clock,
    store::BillingAccount,
    stripe::{CheckoutWish, ReturnUrls, StripeError},
};

/// How often it is begun again because something changed meanwhile.
const ROUNDS: u32 = 4;
/// How long another request may need to write down what Stripe made for it under the same key.
const OTHER_REQUEST: Duration = Duration::from_millis(250);
/// Stripe closes a session after 24 hours: then it is worth a look whether its events came.
const CHECK_SESSION_MS: i64 = 25 * 3_600_000;

/// Where the browser goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// To pay.
    Checkout(String),
    /// To change or end a subscription.
    Portal(String),
}

impl Billing<'_> {
    /// Opens the right door for a user. Asked twice, or by two tabs at once, it opens one and the same Checkout
    /// session, so that nobody pays twice.
    ///
    /// # Errors
    /// `account_required`, `billing_off`, `stripe_*`, `store_unavailable`, `limiter_unavailable`, `conflict`. Whatever
    /// it is, asking again is safe.
    pub async fn open_door(&self, user_id: &str, urls: &ReturnUrls) -> Result<Door, Error> {
        for round in 0..ROUNDS {
            let account = self.store.billing_account(user_id).await?.ok_or_else(no_account)?;
            let opened = match &account.customer_id {
                None => self.make_customer(&account, round).await?,
                Some(customer_id) => self.open_for(&account, customer_id, urls, round).await?,
            };
            if let Some(door) = opened {
                return Ok(door);
            }
        }
        Err(Error::new(Code::Conflict, "Another checkout of this account is being opened. Try again.").retry_after_s(2))
    }

    /// A customer, once a user: concurrent requests have the same key, and Stripe makes one customer for it.
    async fn make_customer(&self, account: &BillingAccount, round: u32) -> Result<Option<Door>, Error> {
        let key = format!("purser-customer-{}-{}", account.user_id, account.attempt);
        let made = self.stripe.create_customer(&account.user_id, account.email.as_deref(), &key).await;
        if let Some(customer_id) = self.outcome(account, made, round).await? {
            self.store.keep_customer(&account.user_id, &customer_id).await?;
        }
        Ok(None)
    }

    async fn open_for(
        &self,
        account: &BillingAccount,
        customer_id: &str,
        urls: &ReturnUrls,
        round: u32,
    ) -> Result<Option<Door>, Error> {
        // Whoever has paid goes to the portal, whether or not an event has told of it: and has the plan from now on.
        let Some(ticket) = self.store.begin_reading(customer_id).await? else { return Ok(None) };
        let synced = self.sync(&ticket, customer_id, None).await?;
        if synced.is_customer_gone {
            return Ok(None);
        }
        if synced.entitlement.subscription_id.is_some() {
            let url = self.stripe.open_portal(customer_id, &urls.portal).await?;
            return Ok(Some(Door::Portal(url)));
        }
        let price = self.offer.prices.first().ok_or_else(nothing_sold)?;
        let wish = CheckoutWish { customer_id, user_id: &account.user_id, price, urls };
        match &account.session_id {
            Some(session_id) => self.open_again(account, session_id, &wish).await,
            None => self.open_new(account, &wish, round).await,
        }
    }

    /// The session that is open, if it is what is wished for. What is not is closed first: two open ones could be paid
    /// twice.
    async fn open_again(
        &self,
        account: &BillingAccount,
        session_id: &str,
        wish: &CheckoutWish<'_>,
    ) -> Result<Option<Door>, Error> {
        let session = match self.stripe.checkout_session(session_id).await {
            Err(StripeError::Refused { status: 404, .. }) => None,
            read => Some(read?),
        };
        if let Some(open) = session.filter(|session| session.status.as_deref() == Some("open")) {
            match open.url {
                Some(url) if account.session_for.as_deref() == Some(wish.digest().as_str()) => {
                    return Ok(Some(Door::Checkout(url)));
                }
                _ => match self.stripe.expire_checkout(session_id).await {
                    // Paid or closed at this very moment: the next round sees which.
                    Err(StripeError::Refused { status: 400, .. }) | Ok(()) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
        self.store.forget_session(&account.user_id, session_id).await?;
        Ok(None)
    }

    async fn open_new(
        &self,
        account: &BillingAccount,
        wish: &CheckoutWish<'_>,
        round: u32,
    ) -> Result<Option<Door>, Error> {
        let key = format!("purser-checkout-{}-{}", account.user_id, account.attempt);
        let opened = self.stripe.open_checkout(wish, &key).await;
        let Some(session) = self.outcome(account, opened, round).await? else { return Ok(None) };
        let check_ms = clock::now_ms() + CHECK_SESSION_MS;
        self.store.keep_session(account, &session.id, &wish.digest(), check_ms).await?;
        let url = session.url.ok_or_else(|| Error::from(StripeError::Nonsense("an open session without a URL")))?;
        Ok(Some(Door::Checkout(url)))
    }

    /// What came of a write under the account's key. `None`: look again, something changed.
    ///
    /// A final refusal, a 500 among them, would be repeated under the same key for a day: the next request has another.
    /// After a connection that broke the key stays, and finds out what was done.
    async fn outcome<T>(
        &self,
        account: &BillingAccount,
        done: Result<T, StripeError>,
        round: u32,
    ) -> Result<Option<T>, Error> {
        let error = match done {
            Ok(made) => return Ok(Some(made)),
            Err(error) => error,
        };
        if error.is_other_under_key() && round == 0 {
            // Another request of this account, with other values, was first: its result is about to be written.
            tokio::time::sleep(OTHER_REQUEST).await;
            return Ok(None);
        }
        if error.is_final() {
            self.store.end_attempt(&account.user_id, account.attempt).await?;
        }
        match error.is_other_under_key() {
            true => Ok(None),
            false => Err(error.into()),
        }
    }
}

fn no_account() -> Error {
    Error::new(
        Code::AccountRequired,
        "Subscriptions belong to accounts of this deployment, and this token has none. Who minted it decides its plan.",
    )
}

/// Said wherever the deployment sells nothing.
pub(crate) fn nothing_sold() -> Error {
    Error::new(
        Code::BillingOff,
        "This deployment sells nothing. Its owner can set STRIPE_SECRET_KEY and STRIPE_PRICE_PRO.",
    )
}
