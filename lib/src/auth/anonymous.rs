//! The signed cookie that knows an anonymous browser again.

use super::Keys;
use crate::hex;

/// The cookie's name.
pub const COOKIE: &str = "purser_browser";
const PURPOSE: &str = "browser";

/// A browser that carries our cookie, or will from this answer on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser {
    /// Its id: a UUIDv7.
    pub id: String,
    /// The cookie is not set yet.
    pub is_new: bool,
}

impl Browser {
    /// Reads the cookie; one that is missing, malformed or forged counts as none, and a new browser is made.
    pub fn from_cookie(cookie: Option<&str>, keys: &Keys) -> Self {
        let known = cookie.and_then(|value| {
            let (id, tag) = value.split_once('.')?;
            uuid::Uuid::parse_str(id).ok()?;
            keys.verifies(PURPOSE, id.as_bytes(), &hex::decode(tag)?).then(|| id.to_owned())
        });
        let is_new = known.is_none();
        Self { id: known.unwrap_or_else(crate::ids::new_id), is_new }
    }

    /// The `Set-Cookie` value. A page of another site needs `SameSite=None`, which browsers take only over TLS.
    pub fn set_cookie(&self, keys: &Keys, is_https: bool, is_cross_site: bool) -> String {
        let tag = hex::encode(&keys.tag(PURPOSE, self.id.as_bytes()));
        let site = match (is_https, is_cross_site) {
            (true, true) => "; Secure; SameSite=None",
            (true, false) => "; Secure; SameSite=Lax",
            (false, _) => "; SameSite=Lax",
        };
        format!("{COOKIE}={}.{tag}; Path=/; Max-Age=31536000; HttpOnly{site}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_known_again_and_a_forged_one_is_not() {
        let keys = |secret: &str| Keys::new(vec![crate::config::Secret::new(secret)]).unwrap();
        let (secret, another) = (keys("secret"), keys("another"));
        let fresh = Browser::from_cookie(None, &secret);
        assert!(fresh.is_new);
        let cookie = fresh.set_cookie(&secret, true, false);
        let value = cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
        let again = Browser::from_cookie(Some(&value), &secret);
        assert_eq!((again.id.as_str(), again.is_new), (fresh.id.as_str(), false));
        assert!(Browser::from_cookie(Some(&value), &another).is_new);
        let other = value.replacen(char::from(value.as_bytes()[0]), "f", 1);
        assert!(Browser::from_cookie(Some(&other), &secret).is_new || other == value);
        for broken in ["", ".", "x.y", "0193.ü", &value[..value.len() - 1]] {
            assert!(Browser::from_cookie(Some(broken), &secret).is_new);
        }
    }
}
