//! A call that the prover makes as a client.

use purser::{
    claude::{ToolFacts, input_tokens_bound},
    cost::{self, InputBound},
};
use serde_json::{Value, json};

/// The cheapest model that every plan includes.
pub(super) const MODEL: &str = "claude-haiku-5-5";

/// Pieces of a long answer.
const PIECES: usize = 25;

/// Where a call goes and how its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `POST /api/chat`, streamed.
    Chat,
    /// `POST /api/v1/messages`, streamed.
    Messages,
    /// `POST /api/v1/messages`, in one piece.
    Whole,
}

impl Route {
    pub(super) const ALL: [Self; 3] = [Self::Chat, Self::Messages, Self::Whole];

    /// The function that serves it.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages | Self::Whole => "v1-messages",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/api/chat",
            Self::Messages | Self::Whole => "/api/v1/messages",
        }
    }
}

/// A call to be made.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// What the stand-in's bill calls it.
    pub(super) label: String,
    pub(super) route: Route,
    /// The user, as in `sub`.
    pub(super) user: String,
    pub(super) plan: &'static str,
    pub(super) model: &'static str,
    pub(super) max_tokens: u64,
    /// The conversation that a chat belongs to, and how many words more it says.
    pub(super) conversation: Option<(String, usize)>,
    /// What the stand-in is told to do.
    pub(super) directives: String,
    /// Whether the answer tells its usage, so that the ledger has no reason to guess.
    pub(super) tells_usage: bool,
}

impl Errand {
    /// A call of a subscriber.
    pub(super) fn new(route: Route, label: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            route,
            user: user.into(),
            plan: "pro",
            model: MODEL,
            max_tokens: 600,
            conversation: None,
            directives: String::new(),
            tells_usage: true,
        }
    }

    /// Tells the stand-in something more.
    #[must_use]
    pub(super) fn told(mut self, directives: &str) -> Self {
        self.directives.push(' ');
        self.directives.push_str(directives);
        self
    }

    /// Most output tokens; the stand-in uses them all, in words that have a token a byte: more is not possible.
    #[must_use]
    pub(super) fn using(mut self, tokens: u64) -> Self {
        self.max_tokens = tokens;
        let words = "x".repeat(usize::try_from(tokens).unwrap_or_default());
        self.told(&format!("tokens={tokens} deltas={PIECES} text={words}"))
    }

    pub(super) fn is_stream(&self) -> bool {
        self.route != Route::Whole
    }

    /// The caller's id in the ledger.
    pub(super) fn owner(&self) -> String {
        format!("user:{}", self.user)
    }

    pub(super) fn body(&self) -> Value {
        let words = format!("Go on. [[standin: bill_as={}{}]]", self.label, self.directives);
        if self.route == Route::Chat {
            let mut body = json!({ "message": words, "model": self.model, "max_tokens": self.max_tokens });
            if let Some((id, more)) = &self.conversation {
                body["message"] = format!("{words}{}", " word".repeat(*more)).into();
                body["conversation_id"] = id.as_str().into();
            }
            return body;
        }
        let mut body = json!({
            "model": self.model,
            "max_tokens": self.max_tokens,
            "stream": self.route == Route::Messages,
            "messages": [{ "role": "user", "content": words }],
        });
        if self.directives.contains("tool") {
            body["tools"] = json!([{ "name": "look", "description": "Looks.", "input_schema": { "type": "object" } }]);
        }
        if self.directives.contains("web_search") {
            body["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search", "max_uses": 2 }]);
        }
        body
    }

    /// The most that the call can cost: what Purser has to hold for it. Known for the Messages route, whose bound
    /// is the body's own.
    pub(super) fn ceiling_nanousd(&self) -> Result<i64, String> {
        let model = cost::find(self.model).ok_or("the prover's model has no price")?;
        let body = self.body().to_string();
        let context_tokens = model.context_tokens.unwrap_or(1_000_000);
        let bound = InputBound {
            input_tokens: input_tokens_bound(body.as_bytes(), &ToolFacts::default(), context_tokens),
            geo_us: true,
            ..InputBound::default()
        };
        cost::ceiling_nanousd(model, &bound, self.max_tokens).map_err(|error| error.to_string())
    }
}
