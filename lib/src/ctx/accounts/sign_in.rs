//! Signing in, and staying so.

use serde_json::{Value, json};

use super::{super::Ctx, ENDED_TTL_MS};
use crate::{
    Code, Error,
    account::{Refresh, SignIn, Verdict},
    auth::{self, ACCESS_TTL_S, RefreshToken},
    clock,
    config::plans::PlanId,
    ctx::plan_in_force::revoked,
    http::{Request, header},
    store::{NewSession, Rotated, Rotation, User},
};

/// How long a session lives that nobody refreshes: 30 days.
const SESSION_TTL_S: i64 = 30 * 86_400;
/// How long a token that was just replaced may be shown once more: two tabs at once, or an answer that was lost.
const GRACE_MS: i64 = 30_000;
/// Most bytes of what a program calls itself.
const AGENT_MAX_BYTES: usize = 200;

impl Ctx {
    /// Opens a session. An unknown address and a wrong password are one answer, in content and in time.
    ///
    /// # Errors
    /// `wrong_credentials`, `limit_exceeded`, `too_busy`, `store_unavailable`.
    pub async fn sign_in(&self, request: &Request, body: SignIn) -> Result<Value, Error> {
        self.attempt(request, &self.account_subject(request, &body.email), None).await?;
        let store = self.store().await?;
        let user = self.time("store", store.user_by_email(body.email.as_str())).await?;
        let stored = user.as_ref().map(|user| user.password.clone());
        let verdict = self.time("hash", self.hasher().verify(body.password.clone(), stored)).await?;
        let wrong = || Error::new(Code::WrongCredentials, "No account has this address and password.");
        let user = user.filter(|_| verdict != Verdict::Wrong).ok_or_else(wrong)?;
        let new_password = match verdict {
            Verdict::Outdated => Some(self.time("hash", self.hasher().hash(body.password)).await?),
            Verdict::Right | Verdict::Wrong => None,
        };
        let token = RefreshToken::first().ok_or_else(|| Error::internal("no source of randomness"))?;
        let now_ms = clock::now_ms();
        let session = NewSession {
            id: &token.session(),
            user_id: &user.id,
            password: &user.password,
            new_password: new_password.as_deref(),
            token_hash: &token.hash(),
            agent: agent(request),
            now_ms,
            expires_ms: now_ms + SESSION_TTL_S * 1_000,
            carried: user.carried_from.as_deref().map(|from| (from, user.created_ms)),
        };
        // The password may have changed since it was read.
        if !self.time("store", store.open_session(&session)).await? {
            return Err(wrong());
        }
        self.count_carried_calls(&user).await;
        if body.cookie {
            self.set_device_cookie(request, &body.email);
        }
        let User { id, email, plan, .. } = user;
        self.pair(request, &token, &Holder { id, email, plan }, body.cookie)
    }

    /// Refreshes a session: another access token, and the next refresh token. All who show the same token get the
    /// same next one; a token that was replaced long ago ends the session.
    ///
    /// # Errors
    /// `session_revoked`, `forbidden` (see [`Ctx::refresh_cookie`]), `store_unavailable`. Needs no limiter.
    pub async fn refresh(&self, request: &Request, body: Refresh) -> Result<Value, Error> {
        let by_cookie = body.refresh_token.is_none();
        let text = match &body.refresh_token {
            Some(text) => Some(text.as_str()),
            None => self.refresh_cookie(request)?,
        };
        let keys = &self.config().auth.keys;
        let shown = text.and_then(|text| RefreshToken::parse(text, keys)).ok_or_else(|| self.signed_out(request))?;
        let successors: Vec<_> = shown.successors(keys).collect();
        let next = successors.first().ok_or_else(|| Error::internal("no secret signs"))?;
        let now_ms = clock::now_ms();
        let rotation = Rotation {
            session: &shown.session(),
            shown_hash: &shown.hash(),
            next_hash: &next.hash(),
            now_ms,
            expires_ms: now_ms + SESSION_TTL_S * 1_000,
            grace_from_ms: now_ms - GRACE_MS,
        };
        match self.time("store", self.store().await?.rotate_session(&rotation)).await? {
            Rotated::Ended => Err(self.signed_out(request)),
            Rotated::Stolen { .. } => {
                self.end_stolen(&shown.session()).await;
                Err(self.signed_out(request))
            }
            Rotated::Fresh { token_hash, user_id, email, plan } => {
                // Another one than the first where a secret was added within the grace.
                let current = successors.iter().find(|token| token.hash() == token_hash);
                let current = current.ok_or_else(|| self.signed_out(request))?;
                self.pair(request, current, &Holder { id: user_id, email, plan }, by_cookie)
            }
        }
    }

    fn signed_out(&self, request: &Request) -> Error {
        self.clear_refresh_cookie(request);
        revoked()
    }

    /// Somebody holds a copy of a refresh token: its owner or a thief. Neither goes on.
    async fn end_stolen(&self, session: &str) {
        let alert = Error::new(Code::SessionRevoked, "A refresh token was shown that had been replaced long ago.");
        self.warn("refresh_token_reused", &alert.log(format!("session {session}: a replaced refresh token was shown")));
        if let Ok(limiter) = self.limiter()
            && let Err(error) = limiter.revoke_session(session, ENDED_TTL_MS).await
        {
            // The store refuses the session's access tokens as well.
            self.warn("revocation_not_noted", &crate::books::unavailable(error));
        }
    }

    fn pair(&self, request: &Request, token: &RefreshToken, user: &Holder, by_cookie: bool) -> Result<Value, Error> {
        let auth = &self.config().auth;
        let plan = PlanId::parse(&user.plan).ok_or_else(|| Error::internal("an account with an unknown plan"))?;
        let access = auth::access_token(auth, &user.id, &token.session(), plan, clock::now_ms())?;
        let mut answer = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_TTL_S,
            "user": { "id": user.id, "email": user.email, "plan": plan },
        });
        let refresh = token.encode(&auth.keys);
        if by_cookie {
            self.set_refresh_cookie(request, &refresh, SESSION_TTL_S);
        } else {
            answer["refresh_token"] = json!(refresh);
        }
        Ok(answer)
    }
}

/// Whose session it is.
struct Holder {
    id: String,
    email: String,
    plan: String,
}

fn agent(request: &Request) -> &str {
    let text = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    text.get(..AGENT_MAX_BYTES).unwrap_or(text)
}
