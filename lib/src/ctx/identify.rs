//! Who asks: no I/O, so that a forged token costs nothing.

use std::{sync::PoisonError, time::Instant};

use super::Ctx;
use crate::{
    Error,
    auth::{self, Browser, Caller},
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
    /// `invalid_token`, `token_expired`, `invalid_header`. A token that is not valid is never taken for none.
    pub fn caller(&self, request: &Request) -> Result<Caller, Error> {
        let token = bearer(request.headers())?;
        self.identify(request, token)
    }

    /// The caller, where a key may also stand in `x-api-key`, as Anthropic's SDKs send it. With both, `x-api-key`
    /// counts, as at Claude's API.
    ///
    /// # Errors
    /// As for [`Ctx::caller`].
    pub fn caller_by_key(&self, request: &Request) -> Result<Caller, Error> {
        let key = single(request.headers(), &HeaderName::from_static("x-api-key"))?.filter(|key| !key.is_empty());
        match key {
            Some(key) => self.identify(request, Some(key)),
            None => self.caller(request),
        }
    }

    fn identify(&self, request: &Request, token: Option<&str>) -> Result<Caller, Error> {
        let from = Instant::now();
        let caller = match token {
            Some(token) => self.verifier().verify(token),
            None => Ok(self.anonymous(request)),
        };
        self.state.timings.add("auth", from.elapsed());
        if let Ok(caller) = &caller {
            self.note("plan", caller.plan.as_str());
        }
        caller
    }

    fn anonymous(&self, request: &Request) -> Caller {
        let config = self.config();
        let secret = config.auth.secret.expose();
        let headers = request.headers();
        let network = client_address::network(headers, config.edge.address_source).to_string();
        let browser = Browser::from_cookie(cookies::get(headers, auth::COOKIE), secret);
        if browser.is_new {
            let is_https = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
            let is_cross_site =
                Origin::check(headers, &config.edge.allowed_origins).is_some_and(|origin| origin.is_cross_site());
            if let Ok(cookie) = HeaderValue::from_str(&browser.set_cookie(secret, is_https, is_cross_site)) {
                self.add_header(header::SET_COOKIE, cookie);
            }
        }
        Caller::anonymous(auth::pseudonym(secret, "network", &network), browser)
    }

    /// Adds a header to the answer, whatever it will be.
    pub(super) fn add_header(&self, name: HeaderName, value: HeaderValue) {
        self.state.extra_headers.lock().unwrap_or_else(PoisonError::into_inner).push((name, value));
    }
}
