//! Signing up: one answer, in content and in time, whether or not the address is taken.

use super::super::Ctx;
use crate::{
    Code, Error,
    account::{Email, Password, SignUp},
    auth::{self, Browser},
    clock,
    http::{Request, cookies},
    ids,
    store::NewUser,
};

impl Ctx {
    /// Makes an account; where the address has one, nothing changes. What the same browser did before without an
    /// account is carried over.
    ///
    /// # Errors
    /// `weak_password`, `limit_exceeded`, `too_busy`, `store_unavailable`.
    pub async fn sign_up(&self, request: &Request, body: SignUp) -> Result<(), Error> {
        self.judge(&body.password, &body.email, "/password").await?;
        self.attempt(request, &self.account_subject(request, &body.email), None).await?;
        let password = self.time("hash", self.hasher().hash(body.password)).await?;
        let id = ids::new_id();
        let carried_from = self.known_browser(request);
        let user = NewUser {
            id: &id,
            email: body.email.as_str(),
            password: &password,
            created_ms: clock::now_ms(),
            carried_from: carried_from.as_deref(),
        };
        Ok(self.time("store", self.store().await?.create_user(&user)).await?)
    }

    /// Refuses a password that is too weak, and says why.
    pub(super) async fn judge(&self, password: &Password, email: &Email, pointer: &str) -> Result<(), Error> {
        match self.hasher().weakness(password.clone(), email.clone()).await? {
            Some(why) => Err(Error::new(Code::WeakPassword, why).pointer(pointer)),
            None => Ok(()),
        }
    }

    /// The anonymous caller that this browser has been.
    fn known_browser(&self, request: &Request) -> Option<String> {
        let cookie = cookies::get(request.headers(), auth::COOKIE)?;
        let browser = Browser::from_cookie(Some(cookie), &self.config().auth.keys);
        (!browser.is_new).then(|| format!("anon:{}", browser.id))
    }
}
