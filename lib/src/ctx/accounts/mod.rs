//! Accounts: what combines passwords and tokens with the limiter and the store. Linked only into the functions under
//! `api/auth`.

mod attempts;
mod carried;
mod cookies;
mod export;
mod keys;
mod profile;
mod sign_in;
mod sign_out;
mod sign_up;

use std::sync::OnceLock;

use super::Ctx;
use crate::{
    Code, Error,
    account::{Hasher, Password, Verdict},
    auth::{ACCESS_TTL_S, Caller, Credential},
    http::Request,
    store::User,
};

/// How long the limiter remembers that a session is over: longer than its access tokens live.
const ENDED_TTL_MS: u64 = 1_000 * (ACCESS_TTL_S as u64 + 300);

/// Somebody who has signed in here, as opposed to one with a key or with a token of the team's own backend.
struct SignedIn<'a> {
    user_id: &'a str,
    session: &'a str,
}

impl<'a> SignedIn<'a> {
    fn of(caller: &'a Caller) -> Result<Self, Error> {
        match &caller.credential {
            Credential::Session { id, .. } => Ok(Self { user_id: caller.account_id(), session: id }),
            Credential::None => Err(sign_in_first()),
            Credential::Key { .. } | Credential::Token { .. } => Err(Error::new(
                Code::Forbidden,
                "This needs the access token of somebody who has signed in here, not a key and not another token.",
            )),
        }
    }
}

pub(super) fn sign_in_first() -> Error {
    Error::new(Code::InvalidToken, "Sign in first: this needs `Authorization: Bearer ACCESS_TOKEN`.")
}

impl Ctx {
    fn hasher(&self) -> &'static Hasher {
        static HASHER: OnceLock<Hasher> = OnceLock::new();
        HASHER.get_or_init(Hasher::default)
    }

    /// The account of somebody who has signed in, once the password has been checked: what a stolen token alone must
    /// not do. Counted like a sign-in.
    async fn confirmed(&self, request: &Request, caller: &Caller, password: Password) -> Result<User, Error> {
        let who = SignedIn::of(caller)?;
        self.attempt(request, who.user_id, Some(caller)).await?;
        let store = self.store_of(caller).await?;
        let user = self.time("store", store.user(who.user_id)).await?.ok_or_else(super::plan_in_force::revoked)?;
        match self.time("hash", self.hasher().verify(password, Some(user.password.clone()))).await? {
            Verdict::Wrong => {
                Err(Error::new(Code::WrongCredentials, "This is not your password.").pointer("/password"))
            }
            Verdict::Right | Verdict::Outdated => Ok(user),
        }
    }
}
