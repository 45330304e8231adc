//! What is asked of Stripe.

use super::{
    CheckoutSession, Customer, Form, Stripe, StripeError,
    objects::{Anything, PortalSession},
};

/// Where Stripe sends the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrls {
    /// After paying.
    pub success: String,
    /// After leaving Checkout.
    pub cancel: String,
    /// Out of the billing portal.
    pub portal: String,
}

/// What a Checkout session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutWish<'a> {
    /// Who pays.
    pub customer_id: &'a str,
    /// Our id of the same.
    pub user_id: &'a str,
    /// What is sold.
    pub price: &'a str,
    /// Where to go on.
    pub urls: &'a ReturnUrls,
}

impl CheckoutWish<'_> {
    fn form(&self) -> Form {
        Form::default()
            .with("mode", "subscription")
            .with("customer", self.customer_id)
            .with("client_reference_id", self.user_id)
            .with("line_items[0][price]", self.price)
            .with("line_items[0][quantity]", "1")
            .with("metadata[user_id]", self.user_id)
            .with("subscription_data[metadata][user_id]", self.user_id)
            .with("success_url", &self.urls.success)
            .with("cancel_url", &self.urls.cancel)
            .with("allow_promotion_codes", "true")
    }

    /// Tells wishes apart without keeping them.
    pub fn digest(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.form().as_str().as_bytes());
        crate::hex::encode(&digest.as_ref()[..16])
    }
}

impl Stripe {
    /// Makes a customer.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn create_customer(&self, user_id: &str, email: Option<&str>, key: &str) -> Result<String, StripeError> {
        let form = Form::default().with("metadata[user_id]", user_id).with_some("email", email);
        self.post::<Customer>("/v1/customers", &form, key).await.map(|customer| customer.id)
    }

    /// Deletes a customer, which ends all subscriptions at once. One that has been deleted before is no error.
    ///
    /// # Errors
    /// [`StripeError`]; 404 where this account never had one of this id.
    pub async fn delete_customer(&self, id: &str) -> Result<(), StripeError> {
        match self.delete::<Anything>(&format!("/v1/customers/{id}")).await {
            Err(error @ StripeError::Refused { status: 404, .. }) => {
                if self.customer(id).await?.deleted {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            done => done.map(drop),
        }
    }

    /// Opens a Checkout session.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn open_checkout(&self, wish: &CheckoutWish<'_>, key: &str) -> Result<CheckoutSession, StripeError> {
        self.post("/v1/checkout/sessions", &wish.form(), key).await
    }

    /// Closes an open Checkout session, so that nobody pays there any more.
    ///
    /// # Errors
    /// [`StripeError`], also where it has been paid meanwhile.
    pub async fn expire_checkout(&self, id: &str) -> Result<(), StripeError> {
        let path = format!("/v1/checkout/sessions/{id}/expire");
        self.post::<Anything>(&path, &Form::default(), &format!("purser-expire-{id}")).await.map(drop)
    }

    /// Opens the billing portal; the URL lives a few minutes.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn open_portal(&self, customer_id: &str, return_url: &str) -> Result<String, StripeError> {
        let form = Form::default().with("customer", customer_id).with("return_url", return_url);
        let key = format!("purser-portal-{}", crate::ids::new_id());
        self.post::<PortalSession>("/v1/billing_portal/sessions", &form, &key).await.map(|portal| portal.url)
    }
}
