//! Who asks: no I/O, so that a forged token costs nothing; but an identity provider's keys are fetched when they are new.

use std::{sync::PoisonError, time::Instant};

use super::{Ctx, plan_in_force::last_plan};
use crate::{
    Code, Error,
    auth::{self, ApiKey, Browser, Caller, Credential},
    http::{
        HeaderName, HeaderValue, Request, client_address, cookies,
        cors::Origin,
        header,
        headers::{bearer, single},
    },
};

impl Ctx {
    /// The caller: by bearer token, else by network and cookie.
    ///
    /// # Errors
    /// `invalid_token`, `token_expired`, `invalid_header`, `issuer_unavailable`. A token that is not valid is never taken for none.
    pub async fn caller(&self, request: &Request) -> Result<Caller, Error> {
        let token = bearer(request.headers())?;
        self.identify(request, token).await
    }

    /// The caller, where a key may also stand in `x-api-key`, as Anthropic's SDKs send it. With both, `x-api-key`
    /// counts, as at Claude's API.
    ///
    /// # Errors
    /// As for [`Ctx::caller`].
    pub async fn caller_by_key(&self, request: &Request) -> Result<Caller, Error> {
        let key = single(request.headers(), &HeaderName::from_static("x-api-key"))?.filter(|key| !key.is_empty());
        match key {
            Some(key) => self.identify(request, Some(key)).await,
            None => self.caller(request).await,
        }
    }

    async fn identify(&self, request: &Request, token: Option<&str>) -> Result<Caller, Error> {
        let from = Instant::now();
        let caller = match token {
            Some(key) if key.starts_with(auth::API_KEY_PREFIX) => self.key_holder(key),
            Some(token) => match self.issuer().filter(|_| auth::Issuer::is_for(token)) {
                Some(issuer) => issuer.verify(token).await,
                None => self.verifier().verify(token),
            },
            None => Ok(self.anonymous(request)),
        };
        self.state.timings.add("auth", from.elapsed());
        if let Ok(caller) = &caller {
            self.note("plan", caller.plan.as_str());
        }
        caller
    }

    /// The holder of an API key. Its plan is the one that was in force when this process last saw it: the round
    /// trips of the call correct it.
    fn key_holder(&self, text: &str) -> Result<Caller, Error> {
        let key = ApiKey::parse(text, &self.config().auth.keys).ok_or_else(|| {
            Error::new(Code::InvalidToken, "This API key was not made here. Make one on your account.")
        })?;
        let credential = Credential::Key { id: key.id(), secret_hash: key.hash() };
        Ok(Caller::user(&key.user(), last_plan(&key.id()), credential))
    }

    /// The client's network, as a pseudonym.
    pub(super) fn network(&self, request: &Request) -> String {
        let network = client_address::network(request.headers(), self.config().edge.address_source).to_string();
        self.config().auth.keys.pseudonym("network", &network)
    }

    fn anonymous(&self, request: &Request) -> Caller {
        let config = self.config();
        let keys = &config.auth.keys;
        let headers = request.headers();
        let browser = Browser::from_cookie(cookies::get(headers, auth::COOKIE), keys);
        // Who only reads has nothing yet that would have to be found again. A page reads several things at once: if each
        // answer made a guest of its own, the one that comes last would take away what another has begun.
        if browser.is_new && !request.method().is_safe() {
            let is_https = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
            let is_cross_site =
                Origin::check(headers, &config.edge.allowed_origins).is_some_and(|origin| origin.is_cross_site());
            if let Ok(cookie) = HeaderValue::from_str(&browser.set_cookie(keys, is_https, is_cross_site)) {
                self.add_header(header::SET_COOKIE, cookie);
            }
        }
        Caller::anonymous(self.network(request), browser)
    }

    /// Adds a header to the answer, whatever it will be. It takes the place of an earlier one of its name, cookies
    /// excepted.
    pub(super) fn add_header(&self, name: HeaderName, value: HeaderValue) {
        let mut headers = self.state.extra_headers.lock().unwrap_or_else(PoisonError::into_inner);
        headers.retain(|(earlier, _)| *earlier != name || name == header::SET_COOKIE);
        headers.push((name, value));
    }
}
