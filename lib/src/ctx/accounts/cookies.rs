//! Cookies of those who have signed in: the refresh token out of scripts' reach, and a browser that is known.
//!
//! `__Host-` binds a cookie to this very host over TLS (RFC 6265bis, 4.1.3.2); browsers count localhost as such.

use uuid::Uuid;

use super::super::Ctx;
use crate::{
    Code, Error,
    account::Email,
    http::{HeaderValue, Request, cookies, cors::Origin, header},
};

/// The refresh token.
const REFRESH: &str = "__Host-purser_refresh";
/// Without a secret, for pages: whether asking for a refresh can succeed.
const SIGNED_IN: &str = "purser_signed_in";
/// A browser that has signed in to an account before.
const DEVICE: &str = "__Host-purser_device";
const DEVICE_MAX_AGE_S: i64 = 31_536_000;

impl Ctx {
    /// The refresh token of the cookie. Whatever rests on a cookie must come from a page of an allowed origin, and
    /// browsers say so in every call that is not a mere reading (Fetch standard, 3.1).
    ///
    /// # Errors
    /// `forbidden` where the call does not say where it comes from.
    pub(super) fn refresh_cookie<'a>(&self, request: &'a Request) -> Result<Option<&'a str>, Error> {
        let cookie = cookies::get(request.headers(), REFRESH);
        // An origin that is not allowed has been refused already.
        if cookie.is_some() && !request.headers().contains_key(header::ORIGIN) {
            return Err(Error::new(
                Code::Forbidden,
                "A call that rests on the cookie must carry `Origin`. Programs send the refresh token in the body.",
            ));
        }
        Ok(cookie)
    }

    /// Gives the refresh token to the browser.
    pub(super) fn set_refresh_cookie(&self, request: &Request, token: &str, max_age_s: i64) {
        self.set_cookie(request, &format!("{REFRESH}={token}"), max_age_s, true);
        self.set_cookie(request, &format!("{SIGNED_IN}=1"), max_age_s, false);
    }

    /// Takes it back, if the browser has one.
    pub(super) fn clear_refresh_cookie(&self, request: &Request) {
        if cookies::get(request.headers(), REFRESH).is_some() {
            self.set_refresh_cookie(request, "", 0);
        }
    }

    /// Whose attempts these are: a browser that has signed in to the account before has a count of its own, so that
    /// strangers who try cannot lock the owner out.
    pub(super) fn account_subject(&self, request: &Request, email: &Email) -> String {
        let keys = &self.config().auth.keys;
        let account = keys.pseudonym("account", email.as_str());
        let device = cookies::get(request.headers(), DEVICE).and_then(|value| {
            let (id, tag) = value.split_once('.')?;
            (tag == self.device_tag(id, email)).then_some(id)
        });
        device.map_or(account.clone(), |id| format!("{account}:{id}"))
    }

    /// Knows the browser again.
    pub(super) fn set_device_cookie(&self, request: &Request, email: &Email) {
        let id = Uuid::now_v7().to_string();
        let tag = self.device_tag(&id, email);
        self.set_cookie(request, &format!("{DEVICE}={id}.{tag}"), DEVICE_MAX_AGE_S, true);
    }

    fn device_tag(&self, id: &str, email: &Email) -> String {
        self.config().auth.keys.pseudonym("device", &format!("{id}:{}", email.as_str()))
    }

    fn set_cookie(&self, request: &Request, pair: &str, max_age_s: i64, is_hidden: bool) {
        let origin = Origin::check(request.headers(), &self.config().edge.allowed_origins);
        // A page of another site gets its cookies only so; its origin is on the list.
        let site = if origin.is_some_and(|origin| origin.is_cross_site()) { "None" } else { "Strict" };
        let hidden = if is_hidden { "; HttpOnly" } else { "" };
        let cookie = format!("{pair}; Path=/; Max-Age={max_age_s}; Secure; SameSite={site}{hidden}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            self.add_header(header::SET_COOKIE, cookie);
        }
    }
}
