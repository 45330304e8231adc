//! From what a caller sent to what it could cost and what goes out. No I/O.

use std::time::Duration;

use bytes::Bytes;

use super::{
    ClientWire, Ctx,
    call::OpenCall,
    price::{CALL_MAX_MS, PricedCall, Wish},
};
use crate::{
    Code, Error, auth,
    chat::{ChatBody, ChatMessage, Prompt, PromptMessage, prompt_body},
    claude::{
        API_VERSION, Asked, OVERHEAD_TOKENS, RequestFacts, ToolFacts, UpstreamCall, asks_to_think, input_tokens_bound,
    },
    config::{Stage, plans::HangUp},
    cost::{self, InputBound},
    http::{HeaderName, Request, Response, headers},
};

/// Where a model's own is not known: the longest of any model.
const CACHEABLE_TOKENS_MIN: u64 = 4_096;
/// What is held for a conversation's history before it is known: as many bytes, which is a dozen turns or so.
const HISTORY_TOKENS_HELD: u64 = 32 * 1024;
/// A streamed answer has its head at once; a slower one is a fault.
const STREAM_HEAD_MAX: Duration = Duration::from_secs(60);

impl Ctx {
    /// Prices a turn of a conversation. How long its history is, is not known yet: some is held for it, and more when
    /// it turns out to be longer ([`Ctx::begin_chat`]).
    ///
    /// # Errors
    /// As for [`Ctx::price_call`]; `claude_misconfigured` where there is no key; `prompt_too_long`.
    pub fn price_chat(&self, caller: &auth::Caller, body: &ChatBody) -> Result<PricedCall, Error> {
        self.claude()?;
        let plan = caller.plan.plan();
        let most = plan.input_tokens_max;
        let options = &body.options;
        if options.bytes() > most {
            return Err(too_long(most).pointer("/system"));
        }
        if body.message().and_then(ChatMessage::tokens_bound).is_some_and(|tokens| tokens > most) {
            return Err(too_long(most));
        }
        let tools = options.tools().map_or(Ok(ToolFacts::default()), ToolFacts::read)?;
        let message_tokens = body.message().map_or(0, |message| message.tokens_bound().unwrap_or(0));
        let prompt_tokens = prompt_tokens(body, message_tokens.saturating_add(HISTORY_TOKENS_HELD).min(most));
        let model = options.model.as_deref().unwrap_or(plan.default_model);
        let wish = Wish {
            model: Some(model),
            max_tokens: options.max_tokens,
            max_tokens_least: None,
            bound: InputBound {
                // What server tools bring can fill the context each time that Claude reads its prompt.
                input_tokens: match tools.has_server_tools() {
                    true => context_tokens(model).saturating_mul(tools.readings),
                    false => prompt_tokens,
                },
                web_searches: tools.web_searches_max()?,
                // Where inference runs is not asked for, so it may run in `us`, which is dearer.
                geo_us: true,
                ..InputBound::default()
            },
            is_seen: !tools.has_server_tools() && !options.thinking().is_some_and(asks_to_think),
        };
        self.price_call(caller, &wish)
    }

    /// Prices a Messages request.
    ///
    /// # Errors
    /// As for [`Ctx::price_call`]; `claude_misconfigured` where there is no key; `prompt_too_long`.
    pub fn price_messages(
        &self,
        caller: &auth::Caller,
        facts: &RequestFacts,
        body: &[u8],
    ) -> Result<PricedCall, Error> {
        self.claude()?;
        let input_tokens = input_tokens_bound(body, &facts.tools, context_tokens(&facts.model));
        let wish = Wish {
            model: Some(&facts.model),
            max_tokens: Some(facts.max_tokens),
            // Thinking needs its budget and something to say besides.
            max_tokens_least: Some(facts.thinking_tokens.saturating_add(1)),
            bound: InputBound {
                input_tokens,
                web_searches: facts.tools.web_searches_max()?,
                fast: facts.asked.fast,
                // Unless it is asked for elsewhere, inference may run in `us`, which is dearer.
                geo_us: facts.asked.inference_geo.as_deref().is_none_or(|geo| geo == "us"),
            },
            is_seen: facts.stream && !facts.thinks && !facts.tools.has_server_tools(),
        };
        let priced = self.price_call(caller, &wish)?;
        let most = caller.plan.plan().input_tokens_max;
        // A token is four bytes or so; far more bytes than that cannot fit the plan.
        if body.len() as u64 / 8 > most {
            return Err(too_long(most));
        }
        Ok(priced)
    }

    /// The stage, for the deep health check.
    pub(super) fn stage(&self) -> &'static str {
        match self.config().stage {
            Stage::Development => "development",
            Stage::Preview => "preview",
            Stage::Production => "production",
        }
    }
}

/// Most prompt tokens of a chat call with a history of so many.
pub(super) fn prompt_tokens(body: &ChatBody, history_tokens: u64) -> u64 {
    history_tokens.saturating_add(body.options.bytes()).saturating_add(OVERHEAD_TOKENS)
}

impl OpenCall {
    /// The request of a chat call, from the history that the store gave back.
    ///
    /// # Errors
    /// An internal error where stored content is not JSON.
    pub fn chat_prompt(&self, body: &ChatBody) -> Result<UpstreamCall, Error> {
        let history = self.conversation.iter().flat_map(|conversation| &conversation.history);
        let history: Vec<_> = history
            .map(|message| PromptMessage { role: message.role.clone(), content: message.content.clone() })
            .collect();
        let prompt = Prompt {
            model: self.priced.model.id,
            max_tokens: self.priced.max_tokens,
            options: &body.options,
            history: &history,
            cacheable_tokens_min: body
                .options
                .cache
                .then(|| self.priced.model.cacheable_tokens_min.unwrap_or(CACHEABLE_TOKENS_MIN)),
        };
        Ok(UpstreamCall {
            path: "/v1/messages".to_owned(),
            body: Bytes::from(prompt_body(&prompt)?),
            version: API_VERSION.to_owned(),
            beta: None,
            asked: Asked::default(),
            head_deadline: STREAM_HEAD_MAX,
        })
    }
}

/// The request of the Messages route: the caller's own bytes and headers.
///
/// # Errors
/// `invalid_header`.
pub fn messages_call(request: &Request, facts: &RequestFacts) -> Result<UpstreamCall, Error> {
    let head_deadline = if facts.stream { STREAM_HEAD_MAX } else { Duration::from_millis(CALL_MAX_MS) };
    Ok(UpstreamCall { asked: facts.asked.clone(), ..forwarded(request, "/v1/messages", head_deadline)? })
}

impl Ctx {
    /// As [`Ctx::call_claude`], with no more `max_tokens` than the plan has. Where that is less than the request asks for,
    /// as it is for SDKs that ask for all that the model has, the answer says so.
    ///
    /// # Errors
    /// As for [`Ctx::call_claude`].
    pub async fn call_within_plan(
        &self,
        call: OpenCall,
        mut upstream: UpstreamCall,
        facts: &RequestFacts,
        hang_up: HangUp,
        wire: ClientWire,
    ) -> Result<Response, Error> {
        let max_tokens = call.priced.max_tokens;
        if max_tokens >= facts.max_tokens {
            return self.call_claude(call, upstream, hang_up, wire).await;
        }
        upstream.body = with_max_tokens(&upstream.body, facts, max_tokens);
        let mut response = self.call_claude(call, upstream, hang_up, wire).await?;
        response.headers_mut().insert(HeaderName::from_static("x-purser-max-tokens"), max_tokens.into());
        Ok(response)
    }
}

/// A request with a lower `max_tokens`, and else as it came.
fn with_max_tokens(body: &Bytes, facts: &RequestFacts, max_tokens: u64) -> Bytes {
    let (before, after) = (body.get(..facts.max_tokens_at.start), body.get(facts.max_tokens_at.end..));
    let number = max_tokens.to_string();
    [before.unwrap_or_default(), number.as_bytes(), after.unwrap_or_default()].concat().into()
}

/// A caller's request as it goes out: body, version, betas and query as they came; the key is the deployment's.
pub(super) fn forwarded(request: &Request, path: &str, head_deadline: Duration) -> Result<UpstreamCall, Error> {
    let header = |name| headers::single(request.headers(), &HeaderName::from_static(name));
    let beta: Vec<_> = request.headers().get_all("anthropic-beta").iter().filter_map(|one| one.to_str().ok()).collect();
    Ok(UpstreamCall {
        path: request.uri().query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
        body: request.body().clone(),
        version: header("anthropic-version")?.unwrap_or(API_VERSION).to_owned(),
        beta: (!beta.is_empty()).then(|| beta.join(",")),
        asked: Asked::default(),
        head_deadline,
    })
}

fn context_tokens(model: &str) -> u64 {
    cost::find(model).and_then(|model| model.context_tokens).unwrap_or(1_000_000)
}

pub(super) fn too_long(tokens: u64) -> Error {
    Error::new(Code::PromptTooLong, format!("The prompt is longer than the {tokens} tokens that your plan takes."))
}
