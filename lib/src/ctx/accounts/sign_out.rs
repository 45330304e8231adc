//! Signing out: from the next request on, for access tokens too.

use super::{super::Ctx, ENDED_TTL_MS};
use crate::{
    Code, Error,
    account::Refresh,
    auth::{Caller, Credential, RefreshToken},
    books::unavailable,
    clock,
    ctx::plan_in_force::revoked,
    http::{self, Request, header},
    store::Which,
};

/// How long tokens are refused that the team's own backend made before a sign-out everywhere: it alone knows how
/// long they live.
const MINTED_TTL_MS: u64 = 30 * 86_400_000;

/// What ends.
enum Leaving {
    /// The session that asks.
    This,
    /// Another one of the account.
    One(String),
    /// Everything issued so far, API keys excepted.
    Everywhere,
}

/// Who leaves, and out of which session.
struct Leaver {
    user_id: String,
    session: String,
}

impl Ctx {
    /// Signs out, by access token or, without one, by refresh token: this session, `?id=` another one, or `?all=1`
    /// everywhere.
    ///
    /// # Errors
    /// `session_revoked`, `not_found`, `conflict`, `forbidden`, `store_unavailable`; `limiter_unavailable` where
    /// access tokens may still be good for some minutes: sign out again.
    pub async fn sign_out(&self, request: &Request, body: Refresh) -> Result<(), Error> {
        let leaving = leaving(request)?;
        if !request.headers().contains_key(header::AUTHORIZATION) {
            let leaver = self.refresher(request, body).await?;
            return self.end(&leaver, leaving, self.store().await?).await;
        }
        let caller = self.caller(request).await?;
        match (&caller.credential, &leaving) {
            (Credential::Session { id, .. }, _) => {
                self.clear_refresh_cookie(request);
                let leaver = Leaver { user_id: caller.account_id().to_owned(), session: id.clone() };
                let store = match leaving {
                    // Once more, where the limiter was away the first time.
                    Leaving::This => self.store().await?.clone(),
                    Leaving::One(_) | Leaving::Everywhere => self.store_of(&caller).await?,
                };
                self.end(&leaver, leaving, &store).await
            }
            (Credential::Token { .. }, Leaving::Everywhere) => self.revoke_all(caller.account_id()).await,
            _ => Err(not_a_session(&caller)),
        }
    }

    async fn end(&self, leaver: &Leaver, leaving: Leaving, store: &crate::store::Store) -> Result<(), Error> {
        let which = match &leaving {
            Leaving::This => Which::One(&leaver.session),
            Leaving::One(id) => Which::One(id),
            Leaving::Everywhere => Which::All,
        };
        let mut ended = self.time("store", store.end_sessions(&leaver.user_id, which)).await?;
        match leaving {
            Leaving::One(_) if ended.is_empty() => {
                return Err(Error::new(Code::NotFound, "You have no open session with this id."));
            }
            Leaving::This if ended.is_empty() => ended.push(leaver.session.clone()),
            _ => {}
        }
        self.revoke_sessions(&ended).await?;
        if matches!(leaving, Leaving::Everywhere) {
            self.revoke_all(&leaver.user_id).await?;
        }
        Ok(())
    }

    /// Ends the access tokens of sessions that are over.
    pub(super) async fn revoke_sessions(&self, sessions: &[String]) -> Result<(), Error> {
        for id in sessions {
            self.limiter()?.revoke_session(id, ENDED_TTL_MS).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Ends every token of an account that was made so far.
    pub(super) async fn revoke_all(&self, user_id: &str) -> Result<(), Error> {
        let subject = format!("user:{user_id}");
        let noted = self.limiter()?.revoke_before(&subject, clock::now_ms(), MINTED_TTL_MS).await;
        noted.map_err(unavailable)
    }

    /// Whose refresh token it is.
    async fn refresher(&self, request: &Request, body: Refresh) -> Result<Leaver, Error> {
        let text = match &body.refresh_token {
            Some(text) => Some(text.as_str()),
            None => self.refresh_cookie(request)?,
        };
        self.clear_refresh_cookie(request);
        let token = text.and_then(|text| RefreshToken::parse(text, &self.config().auth.keys)).ok_or_else(revoked)?;
        let store = self.store().await?;
        let user_id = self.time("store", store.user_of_session(&token.session(), &token.hash())).await?;
        Ok(Leaver { user_id: user_id.ok_or_else(revoked)?, session: token.session() })
    }
}

fn leaving(request: &Request) -> Result<Leaving, Error> {
    if http::query::parameter(request, "all")?.as_deref() == Some("1") {
        return Ok(Leaving::Everywhere);
    }
    Ok(http::query::parameter(request, "id")?.map_or(Leaving::This, Leaving::One))
}

fn not_a_session(caller: &Caller) -> Error {
    match caller.credential {
        Credential::Key { .. } => Error::new(
            Code::Forbidden,
            "A key cannot sign anybody out. Revoke it on your account: DELETE /api/auth/account?key=ID.",
        ),
        _ => Error::new(
            Code::Conflict,
            "This token belongs to no session here: whoever made it ends it, or `?all=1` ends all made so far.",
        ),
    }
}
