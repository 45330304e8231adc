//! Somebody's own account: to see, to change, to leave.

use serde_json::{Value, json};

use super::{super::Ctx, SignedIn, sign_in_first};
use crate::{
    Code, Error,
    account::{Change, Farewell},
    auth::{Caller, Credential},
    clock,
    ctx::plan_in_force::revoked,
    http::Request,
    ids,
    store::{Constraint, GONE, Profile, Session, StoreError, StoredKey, User, UserChange},
};

impl Ctx {
    /// The account, its subscription, its sessions and its keys. Anybody may ask whose token belongs to an account.
    ///
    /// # Errors
    /// `not_found`, `session_revoked`, `store_unavailable`.
    pub async fn profile(&self, caller: &Caller) -> Result<Value, Error> {
        let own = self.own(caller).await?;
        let current = SignedIn::of(caller).map(|who| who.session).ok();
        let mut profile = user_json(&own.user);
        let store = self.store_of(caller).await?;
        let subscription = self.time("store", store.subscription_of(&own.user.id)).await?;
        profile["subscription"] =
            json!(subscription.map(|(status, ends_ms)| json!({ "status": status, "ends_ms": ends_ms })));
        profile["sessions"] = own.sessions.iter().map(|one| session_json(one, current)).collect();
        profile["api_keys"] = own.keys.iter().map(key_json).collect();
        Ok(profile)
    }

    /// The caller's account with its sessions and keys.
    pub(super) async fn own(&self, caller: &Caller) -> Result<Profile, Error> {
        if caller.credential == Credential::None {
            return Err(sign_in_first());
        }
        let store = self.store_of(caller).await?;
        let own = self.time("store", store.profile(caller.account_id(), clock::now_ms())).await?;
        own.ok_or_else(|| Error::new(Code::NotFound, "Your token belongs to no account here. Sign up, or sign in."))
    }

    /// Changes the password, which ends all other sessions, or the address, or both.
    ///
    /// # Errors
    /// `wrong_credentials`, `weak_password`, `conflict` where the address is taken, `limit_exceeded`, `forbidden`,
    /// `session_revoked`, `too_busy`, `store_unavailable`.
    pub async fn change_account(&self, request: &Request, caller: &Caller, change: Change) -> Result<Value, Error> {
        let user = self.confirmed(request, caller, change.password).await?;
        let who = SignedIn::of(caller)?;
        let mut new_password = None;
        if let Some(password) = change.new_password {
            let email = change.new_email.clone().or_else(|| crate::account::Email::parse(&user.email));
            if let Some(email) = email {
                self.judge(&password, &email, "/new_password").await?;
            }
            new_password = Some(self.time("hash", self.hasher().hash(password)).await?);
        }
        let new_email = change.new_email.as_ref().map(|email| email.as_str());
        let change = UserChange {
            old_password: &user.password,
            new_password: new_password.as_deref(),
            new_email,
            session: who.session,
            now_ms: clock::now_ms(),
        };
        let store = self.store_of(caller).await?;
        let ended = match self.time("store", store.change_user(&user.id, &change)).await {
            Err(StoreError::Refused(Constraint::Unique)) => {
                return Err(Error::new(Code::Conflict, "This address cannot be used.").pointer("/new_email"));
            }
            changed => changed?.ok_or_else(revoked)?,
        };
        self.revoke_sessions(&ended).await?;
        let email = new_email.map_or(user.email.clone(), str::to_owned);
        Ok(user_json(&User { email, ..user }))
    }

    /// Deletes the account and all that is personal, and ends its subscription at once. What its calls cost stays in
    /// the ledger, under a key that leads to nobody.
    ///
    /// # Errors
    /// `wrong_credentials`, `stripe_*` where the subscription cannot be ended now, `limit_exceeded`, `forbidden`,
    /// `session_revoked`, `too_busy`, `store_unavailable`.
    pub async fn delete_account(&self, request: &Request, caller: &Caller, body: Farewell) -> Result<(), Error> {
        let user = self.confirmed(request, caller, body.password).await?;
        self.end_billing(&user.id).await?;
        let store = self.store_of(caller).await?;
        let nobody = format!("{GONE}{}", ids::new_id());
        if !self.time("store", store.delete_user(&user.id, &user.password, &nobody)).await? {
            return Err(revoked());
        }
        self.clear_refresh_cookie(request);
        // The store refuses its sessions and keys from now on; tokens of the team's own backend it does not know.
        self.revoke_all(&user.id).await
    }
}

/// `{"id","email","plan","created_ms"}`.
pub(super) fn user_json(user: &User) -> Value {
    json!({ "id": user.id, "email": user.email, "plan": user.plan, "created_ms": user.created_ms })
}

pub(super) fn session_json(session: &Session, current: Option<&str>) -> Value {
    json!({
        "id": session.id,
        "agent": session.agent,
        "is_current": current == Some(session.id.as_str()),
        "created_ms": session.created_ms,
        "refreshed_ms": session.rotated_ms,
        "expires_ms": session.expires_ms,
    })
}

pub(super) fn key_json(key: &StoredKey) -> Value {
    json!({ "id": key.id, "name": key.name, "created_ms": key.created_ms, "used_ms": key.used_ms })
}
