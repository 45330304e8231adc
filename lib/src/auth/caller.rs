//! The caller: whose limits, whose conversations, whose bill.

use crate::{config::plans::PlanId, ids::CallerId};

use super::Browser;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Owns conversations and calls.
    pub id: CallerId,
    /// Which limits and models.
    pub plan: PlanId,
    /// How the caller is known.
    pub kind: Kind,
    /// What the caller has shown, and what can be taken back.
    pub credential: Credential,
    /// How often the plan has been corrected within this request.
    pub plan_changes: u8,
}

/// How a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By a verified bearer token or API key.
    User,
    /// By network and cookie, whichever is tighter.
    Anonymous {
        /// The network's pseudonym.
        network: String,
        /// The browser.
        browser: Browser,
    },
}

/// What a caller has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    None,
    /// A token of the team's own backend: whole sets of them are ended by time.
    Token {
        /// When it was made, in milliseconds since 1970; 0 where it does not say.
        issued_ms: i64,
    },
    /// An access token of a session of ours.
    Session {
        /// The session.
        id: String,
        /// When the token was made, in milliseconds since 1970.
        issued_ms: i64,
    },
    /// A personal API key.
    Key {
        /// The key's id.
        id: String,
        /// Its hash, as stored.
        secret_hash: String,
    },
}

impl Caller {
    /// The caller of a verified token.
    pub fn user(subject: &str, plan: PlanId, credential: Credential) -> Self {
        Self { id: CallerId(format!("user:{subject}")), plan, kind: Kind::User, credential, plan_changes: 0 }
    }

    /// The account's id, or whatever else the token calls its subject.
    pub fn account_id(&self) -> &str {
        self.id.as_str().strip_prefix("user:").unwrap_or_default()
    }

    /// Whose budgets and windows: the user, or the network of somebody who has not signed in, since a new browser is
    /// easily had.
    pub fn subject(&self) -> &str {
        match &self.kind {
            Kind::User => self.id.as_str(),
            Kind::Anonymous { network, .. } => network,
        }
    }

    /// A caller without a token.
    pub fn anonymous(network: String, browser: Browser) -> Self {
        Self {
            id: CallerId(format!("anon:{}", browser.id)),
            plan: PlanId::Anonymous,
            kind: Kind::Anonymous { network, browser },
            credential: Credential::None,
            plan_changes: 0,
        }
    }
}
