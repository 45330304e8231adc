//! Who asks, and what has been decided about them since their token was made: another plan, or that it is over.

use super::{LimitError, Limiter, policy};

/// How long a plan is remembered that is in force against what tokens say: a day, longer than access tokens live.
pub(super) const PLAN_TTL_MS: u64 = 86_400_000;

/// What a token or key says of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The caller's id.
    pub subject: &'a str,
    /// The session or API key, if the token belongs to one.
    pub session: Option<&'a str>,
    /// The plan that the token names.
    pub plan: &'a str,
    /// When the token was made, in milliseconds since 1970.
    pub issued_ms: i64,
}

/// What an identity is checked against: the names of its notes, the same in every backend.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) plan: String,
    pub(super) issued_ms: i64,
    pub(super) plan_key: String,
    pub(super) before_key: String,
    pub(super) session_key: Option<String>,
}

/// What has been noted about an identity.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    pub(super) plan: Option<String>,
    /// Everything issued before this moment is over.
    pub(super) before: Option<String>,
    pub(super) is_session_over: bool,
}

/// Why the holder of a token may not go on as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    PlanChanged { plan: String },
    Revoked,
}

/// Something to note: it is forgotten after a while.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) ttl_ms: u64,
    /// The value is a time, and an earlier one must not replace a later one.
    pub(super) keeps_later: bool,
}

impl Limiter {
    /// Says which plan is in force for a caller, whatever their tokens say: from the next ask on, for a day, which
    /// is longer than any access token lives.
    ///
    /// # Errors
    /// Any [`LimitError`]; saying it again is safe.
    pub async fn set_plan(&self, subject: &str, plan: &str) -> Result<(), LimitError> {
        self.note(Note::plan(subject, plan)).await
    }

    /// Ends a session or an API key: from the next ask on, for `ttl_ms`, which must be longer than its tokens live.
    ///
    /// # Errors
    /// Any [`LimitError`]; ending it again is safe.
    pub async fn revoke_session(&self, session: &str, ttl_ms: u64) -> Result<(), LimitError> {
        self.note(Note::session(session, ttl_ms)?).await
    }

    /// Ends everything of a caller that was issued before a moment (milliseconds since 1970), for `ttl_ms`. A later
    /// moment is never replaced by an earlier one.
    ///
    /// # Errors
    /// Any [`LimitError`]; ending it again is safe.
    pub async fn revoke_before(&self, subject: &str, before_ms: i64, ttl_ms: u64) -> Result<(), LimitError> {
        self.note(Note::before(subject, before_ms, ttl_ms)?).await
    }

    async fn note(&self, note: Note) -> Result<(), LimitError> {
        match self {
            Self::Redis(redis) => redis.note(&note).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.note(note).await,
            Self::Memory(memory) => memory.note(note),
        }
    }
}

impl Identity<'_> {
    pub(super) fn claim(&self) -> Claim {
        Claim {
            plan: self.plan.to_owned(),
            issued_ms: self.issued_ms,
            plan_key: plan_key(self.subject),
            before_key: before_key(self.subject),
            session_key: self.session.map(session_key),
        }
    }
}

impl Claim {
    /// The refusal, where there is one. Revocation comes first: whoever is out has no plan.
    pub(super) fn refusal(&self, noted: &Noted) -> Option<Refusal> {
        let before_ms = noted.before.as_deref().and_then(|text| text.parse::<i64>().ok());
        if noted.is_session_over || before_ms.is_some_and(|before_ms| self.issued_ms < before_ms) {
            return Some(Refusal::Revoked);
        }
        let plan = noted.plan.as_ref().filter(|plan| **plan != self.plan)?;
        Some(Refusal::PlanChanged { plan: plan.clone() })
    }
}

impl Note {
    pub(super) fn plan(subject: &str, plan: &str) -> Self {
        Self { key: plan_key(subject), value: plan.to_owned(), ttl_ms: PLAN_TTL_MS, keeps_later: false }
    }

    pub(super) fn session(session: &str, ttl_ms: u64) -> Result<Self, LimitError> {
        check_ttl(ttl_ms)?;
        Ok(Self { key: session_key(session), value: "over".to_owned(), ttl_ms, keeps_later: false })
    }

    pub(super) fn before(subject: &str, before_ms: i64, ttl_ms: u64) -> Result<Self, LimitError> {
        check_ttl(ttl_ms)?;
        policy::check_money(before_ms)?;
        Ok(Self { key: before_key(subject), value: before_ms.to_string(), ttl_ms, keeps_later: true })
    }

    /// Whether what is there already stays.
    pub(super) fn yields_to(&self, known: &str) -> bool {
        let time = |text: &str| text.parse::<i64>().unwrap_or(i64::MIN);
        self.keeps_later && time(known) >= time(&self.value)
    }
}

fn check_ttl(ttl_ms: u64) -> Result<(), LimitError> {
    match i64::try_from(ttl_ms) {
        Ok(ttl_ms) if ttl_ms > 0 => policy::check_money(ttl_ms),
        _ => Err(LimitError::Invalid("a note must live a while")),
    }
}

fn plan_key(subject: &str) -> String {
    format!("identity:plan:{subject}")
}

fn before_key(subject: &str) -> String {
    format!("identity:before:{subject}")
}

fn session_key(session: &str) -> String {
    format!("identity:session:{session}")
}
