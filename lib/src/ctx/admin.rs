//! The owner of the deployment.

use ring::hmac;

use super::Ctx;
use crate::{
    Code, Error, env,
    http::{Request, headers::bearer},
};

impl Ctx {
    /// Lets only the holder of `ADMIN_SECRET` pass; compared in constant time.
    ///
    /// # Errors
    /// `forbidden`, also where the deployment has no such secret.
    pub fn require_admin(&self, request: &Request) -> Result<(), Error> {
        let refused = || Error::new(Code::Forbidden, "This needs `Authorization: Bearer ADMIN_SECRET`.");
        let secret = env::get(&env::ADMIN_SECRET).ok_or_else(refused)?;
        let given = bearer(request.headers())?.ok_or_else(refused)?;
        // Equal tags under one key mean equal texts, and comparing tags tells nothing about either.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"admin");
        let tag = hmac::sign(&key, secret.as_bytes());
        hmac::verify(&key, given.as_bytes(), tag.as_ref()).map_err(|_| refused())
    }
}
