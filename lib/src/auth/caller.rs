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
}

/// How a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By a verified bearer token.
    User,
    /// By network and cookie, whichever is tighter.
    Anonymous {
        /// The network's pseudonym.
        network: String,
        /// The browser.
        browser: Browser,
    },
}

impl Caller {
    /// The caller of a verified token.
    pub fn user(subject: &str, plan: PlanId) -> Self {
        Self { id: CallerId(format!("user:{subject}")), plan, kind: Kind::User }
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
        }
    }
}
