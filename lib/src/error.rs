//! One error type: a stable code and a sentence for the client, a second text for the log.

use std::fmt;

use serde_json::{Map, Value};

/// Every error code: the one list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON, or not UTF-8.
    InvalidJson,
    /// The JSON has the wrong shape; `pointer` says where.
    InvalidBody,
    /// A header is malformed or given twice.
    InvalidHeader,
    /// A query parameter is malformed.
    InvalidQuery,
    /// The body exceeds the route's cap.
    BodyTooLarge,
    /// The route does not take this method; `Allow` lists those it takes.
    MethodNotAllowed,
    /// No such thing, or not the caller's.
    NotFound,
    /// The bearer token is forged, malformed, or meant for somebody else.
    InvalidToken,
    /// The bearer token was valid once.
    TokenExpired,
    /// The session that the token belongs to has ended, or the key has been revoked.
    SessionRevoked,
    /// The deployment has no JWT_SECRET.
    TokensOff,
    /// No account has this address and password.
    WrongCredentials,
    /// The password is too short or too easy to guess.
    WeakPassword,
    /// The keys of the team's identity provider cannot be had.
    IssuerUnavailable,
    /// The caller is known and may not do this.
    Forbidden,
    /// No price is known for the model, so it is refused.
    ModelUnknown,
    /// The caller's plan or the deployment does not allow the model.
    ModelNotAllowed,
    /// The plan or the model allows fewer output tokens.
    MaxTokensTooLarge,
    /// The prompt exceeds what the plan or the model takes.
    PromptTooLong,
    /// The request asks for something whose cost cannot be told exactly.
    FeatureNotPriced,
    /// The conversation changed meanwhile.
    Conflict,
    /// The caller's plan changed while the request was on its way.
    PlanChanged,
    /// A request window is full; `Retry-After` is exact.
    LimitExceeded,
    /// A money budget has no room for this call.
    BudgetExceeded,
    /// The caller's running calls fill the plan's cap.
    TooManyInFlight,
    /// Claude's API answered 4xx; nothing was charged.
    ClaudeRefused,
    /// Claude's API answered 429.
    ClaudeRateLimited,
    /// Claude's API answered 529.
    ClaudeOverloaded,
    /// No answer from Claude's API, or a broken one.
    ClaudeUnavailable,
    /// Claude's API did not answer in time.
    ClaudeTimeout,
    /// Claude's API refused the deployment's key or billing.
    ClaudeMisconfigured,
    /// The token is good, but there is no account behind it.
    AccountRequired,
    /// The deployment sells nothing: a variable for Stripe is missing.
    BillingOff,
    /// An event's signature does not fit.
    InvalidSignature,
    /// Stripe does not answer.
    StripeUnavailable,
    /// Stripe refused the deployment's key or what it asked for.
    StripeMisconfigured,
    /// The database did not answer in time; nothing was started.
    StoreUnavailable,
    /// The limiter did not answer in time; nothing was started.
    LimiterUnavailable,
    /// More passwords wait to be hashed than this instance takes.
    TooBusy,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// All codes.
    pub const ALL: &'static [Self] = &[
        Self::InvalidJson,
        Self::InvalidBody,
        Self::InvalidHeader,
        Self::InvalidQuery,
        Self::BodyTooLarge,
        Self::MethodNotAllowed,
        Self::NotFound,
        Self::InvalidToken,
        Self::TokenExpired,
        Self::SessionRevoked,
        Self::TokensOff,
        Self::WrongCredentials,
        Self::WeakPassword,
        Self::IssuerUnavailable,
        Self::Forbidden,
        Self::ModelUnknown,
        Self::ModelNotAllowed,
        Self::MaxTokensTooLarge,
        Self::PromptTooLong,
        Self::FeatureNotPriced,
        Self::Conflict,
        Self::PlanChanged,
        Self::LimitExceeded,
        Self::BudgetExceeded,
        Self::TooManyInFlight,
        Self::ClaudeRefused,
        Self::ClaudeRateLimited,
        Self::ClaudeOverloaded,
        Self::ClaudeUnavailable,
        Self::ClaudeTimeout,
        Self::ClaudeMisconfigured,
        Self::AccountRequired,
        Self::BillingOff,
        Self::InvalidSignature,
        Self::StripeUnavailable,
        Self::StripeMisconfigured,
        Self::StoreUnavailable,
        Self::LimiterUnavailable,
        Self::TooBusy,
        Self::Internal,
    ];

    /// The stable snake_case name, the HTTP status, and a title that is the same for every occurrence.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidJson => ("invalid_json", 400, "The body is not JSON"),
            Self::InvalidBody => ("invalid_body", 422, "The body does not fit"),
            Self::InvalidHeader => ("invalid_header", 400, "A header does not fit"),
            Self::InvalidQuery => ("invalid_query", 400, "The query does not fit"),
            Self::BodyTooLarge => ("body_too_large", 413, "The body is too large"),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "Method not allowed"),
            Self::NotFound => ("not_found", 404, "Not found"),
            Self::InvalidToken => ("invalid_token", 401, "The token is not valid"),
            Self::TokenExpired => ("token_expired", 401, "The token has expired"),
            Self::SessionRevoked => ("session_revoked", 401, "The session has ended"),
            Self::TokensOff => ("tokens_off", 401, "Bearer tokens are off"),
            Self::WrongCredentials => ("wrong_credentials", 401, "The address or the password is wrong"),
            Self::WeakPassword => ("weak_password", 422, "The password is too weak"),
            Self::IssuerUnavailable => ("issuer_unavailable", 503, "The identity provider is unavailable"),
            Self::Forbidden => ("forbidden", 403, "Forbidden"),
            Self::ModelUnknown => ("model_unknown", 404, "Unknown model"),
            Self::ModelNotAllowed => ("model_not_allowed", 403, "The plan does not include this model"),
            Self::MaxTokensTooLarge => ("max_tokens_too_large", 422, "max_tokens is too large"),
            Self::PromptTooLong => ("prompt_too_long", 413, "The prompt is too long"),
            Self::FeatureNotPriced => ("feature_not_priced", 422, "This feature cannot be accounted for"),
            Self::Conflict => ("conflict", 409, "Conflict"),
            Self::PlanChanged => ("plan_changed", 409, "The plan has changed"),
            Self::LimitExceeded => ("limit_exceeded", 429, "Quota exceeded"),
            Self::BudgetExceeded => ("budget_exceeded", 429, "Budget exceeded"),
            Self::TooManyInFlight => ("too_many_in_flight", 429, "Too many calls at once"),
            Self::ClaudeRefused => ("claude_refused", 400, "Claude refused the request"),
            Self::ClaudeRateLimited => ("claude_rate_limited", 429, "Claude is rate limiting this deployment"),
            Self::ClaudeOverloaded => ("claude_overloaded", 503, "Claude is overloaded"),
            Self::ClaudeUnavailable => ("claude_unavailable", 502, "Claude cannot be reached"),
            Self::ClaudeTimeout => ("claude_timeout", 504, "Claude took too long"),
            Self::ClaudeMisconfigured => ("claude_misconfigured", 502, "This deployment cannot use Claude"),
            Self::AccountRequired => ("account_required", 403, "This needs an account"),
            Self::BillingOff => ("billing_off", 501, "Nothing is sold here"),
            Self::InvalidSignature => ("invalid_signature", 400, "The signature does not fit"),
            Self::StripeUnavailable => ("stripe_unavailable", 503, "Stripe is unavailable"),
            Self::StripeMisconfigured => ("stripe_misconfigured", 502, "This deployment cannot use Stripe"),
            Self::StoreUnavailable => ("store_unavailable", 503, "The store is unavailable"),
            Self::LimiterUnavailable => ("limiter_unavailable", 503, "The limiter is unavailable"),
            Self::TooBusy => ("too_busy", 503, "Too busy"),
            Self::Internal => ("internal", 500, "Internal error"),
        }
    }

    /// The stable snake_case name.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// A short title, the same for every occurrence.
    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

/// What went wrong, once for the client and once for the log.
#[derive(Debug)]
pub struct Error(Box<Fault>);

#[derive(Debug)]
struct Fault {
    code: Code,
    detail: String,
    internal: Option<String>,
    retry_after_s: Option<u64>,
    members: Map<String, Value>,
}

impl Error {
    /// An error whose `detail` tells the client what to do. It must hold nothing secret and no internals.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Fault { code, detail: detail.into(), internal: None, retry_after_s: None, members: Map::new() }))
    }

    /// A fault of ours: the client sees a fixed sentence, the log sees `internal`.
    pub fn internal(internal: impl fmt::Display) -> Self {
        Self::new(Code::Internal, "Something failed on our side. Try again; if it stays, quote the request id.")
            .log(internal)
    }

    /// Adds what only the log may see.
    #[must_use]
    pub fn log(mut self, internal: impl fmt::Display) -> Self {
        self.0.internal = Some(internal.to_string());
        self
    }

    /// Adds `Retry-After`, in whole seconds (RFC 9110, 10.2.3).
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Says where in the JSON body the fault is (RFC 6901).
    #[must_use]
    pub fn pointer(self, pointer: impl Into<String>) -> Self {
        self.member("pointer", pointer.into())
    }

    /// Adds an extension member to the problem (RFC 9457, 3.2).
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence for the client.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The text for the log, if there is more to say than `detail`.
    pub fn log_text(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }

    /// Seconds after which a retry makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        self.0.retry_after_s
    }

    /// Extension members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0.members
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.internal.as_deref().unwrap_or(&self.0.detail))
    }
}

impl std::error::Error for Error {}
