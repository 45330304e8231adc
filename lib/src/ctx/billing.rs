//! Who pays, and where the browser comes back to.

use std::{sync::OnceLock, time::Duration};

use serde_json::{Value, json};

use super::{Ctx, accounts::sign_in_first};
use crate::{
    Code, Error,
    auth::{Caller, Credential},
    billing::{Billing, nothing_sold},
    clock,
    config::{plans::PlanId, stripe as config},
    http::{HeaderName, Request, header, headers::single},
    stripe::{Offer, Stripe, verify},
};

const DAY_S: i64 = 86_400;
/// A part of the 300 s that a function may run (`maxDuration` in vercel.json).
const RECONCILE_MAX: Duration = Duration::from_secs(120);

impl Ctx {
    /// Billing, with Stripe's client.
    ///
    /// # Errors
    /// `billing_off` where the deployment has no key for Stripe; what opening the store may answer.
    pub async fn billing(&self) -> Result<Billing<'static>, Error> {
        static STRIPE: OnceLock<(Stripe, Offer)> = OnceLock::new();
        let config = self.stripe_config()?;
        let (stripe, offer) = STRIPE.get_or_init(|| {
            let grace_s = PlanId::Pro.plan().past_due_grace_days.saturating_mul(DAY_S);
            let offer = Offer { prices: config.prices_pro.clone(), grace_s };
            (Stripe::new(&config.base_url, config.secret_key.clone()), offer)
        });
        Ok(Billing { store: self.store().await?, limiter: self.limiter()?, stripe, offer })
    }

    /// Ends all that a user pays for and deletes the customer at Stripe, before the account is deleted: whoever has no
    /// account could not end it any more. Doing so twice is the same as once.
    ///
    /// # Errors
    /// `stripe_*`, `store_unavailable`; `billing_off` where something is still paid for and the deployment has no key.
    pub async fn end_billing(&self, user_id: &str) -> Result<(), Error> {
        let Some((customer_id, is_subscriber)) = self.store().await?.customer_of(user_id).await? else { return Ok(()) };
        let ended = match self.billing().await {
            Ok(billing) => self.time("stripe", billing.stripe.delete_customer(&customer_id)).await.map_err(Error::from),
            Err(error) => Err(error),
        };
        match ended {
            // A customer of another Stripe account or mode, or nobody to ask: as far as is known nothing is paid for.
            Err(error) if is_subscriber || error.code() == Code::StripeUnavailable => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads customers whose subscription should have changed, as far as there is time; `null` where nothing is sold.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn reconcile_subscriptions(&self) -> Result<Value, Error> {
        if self.config().stripe.is_none() {
            return Ok(Value::Null);
        }
        let run = self.billing().await?.reconcile_subscriptions(RECONCILE_MAX).await?;
        if let Some(failure) = &run.failure {
            self.warn("subscriptions_failed", &Error::internal(failure));
        }
        Ok(json!({ "read": run.read, "failed": run.failed, "is_cut": run.is_cut }))
    }

    /// Believes a request only where Stripe signed its body. No I/O.
    ///
    /// # Errors
    /// `billing_off`, `invalid_header`, `invalid_signature`.
    pub fn check_stripe_signature(&self, request: &Request) -> Result<(), Error> {
        let secrets = &self.stripe_config()?.webhook_secrets;
        if secrets.is_empty() {
            return Err(Error::new(
                Code::BillingOff,
                "Events cannot be checked here. The owner of this deployment can set STRIPE_WEBHOOK_SECRET.",
            ));
        }
        let signature = single(request.headers(), &HeaderName::from_static("stripe-signature"))?.unwrap_or_default();
        verify(signature, request.body(), secrets, clock::now_ms().div_euclid(1_000)).map_err(|error| {
            Error::new(Code::InvalidSignature, "`Stripe-Signature` does not fit this body, or is too old.").log(error)
        })
    }

    fn stripe_config(&self) -> Result<&'static config::Stripe, Error> {
        self.config().stripe.as_ref().ok_or_else(nothing_sold)
    }
}

/// The user who may buy: signed in here, or vouched for by the team's own backend. A key is for scripts, and a lost one
/// must not open its owner's invoices.
///
/// # Errors
/// `invalid_token` for one who has not signed in, `forbidden` for a key.
pub fn buyer(caller: &Caller) -> Result<&str, Error> {
    match &caller.credential {
        Credential::Session { .. } | Credential::Token { .. } => Ok(caller.account_id()),
        Credential::Key { .. } => {
            Err(Error::new(Code::Forbidden, "An API key cannot buy. Sign in, and use the access token."))
        }
        Credential::None => Err(sign_in_first()),
    }
}

/// The origin of the page that asks: what it says itself where it is a browser's (and then it has been checked), else
/// the address under which the deployment was called.
///
/// # Errors
/// `invalid_header` where none of it can be read.
pub fn page_origin(request: &Request) -> Result<String, Error> {
    let headers = request.headers();
    if let Some(origin) = single(headers, &header::ORIGIN)? {
        return Ok(origin.to_owned());
    }
    let forwarded = single(headers, &HeaderName::from_static("x-forwarded-host"))?;
    let host = forwarded.or(single(headers, &header::HOST)?).filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| Error::new(Code::InvalidHeader, "The request has no `Host`."))?;
    let is_https = single(headers, &HeaderName::from_static("x-forwarded-proto"))? == Some("https");
    Ok(format!("{}://{host}", if is_https { "https" } else { "http" }))
}
