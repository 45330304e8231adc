//! From what a caller sent to what it could cost and what goes out. No I/O.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Ctx,
    call::OpenCall,
    price::{CALL_MAX_MS, PricedCall, Wish},
};
use crate::{
    Code, Error, auth,
    chat::{ChatBody, Prompt, PromptMessage, prompt_body},
    claude::{API_VERSION, RequestFacts, UpstreamCall, input_tokens_bound},
    config::Stage,
    cost::{self, InputBound},
    http::{HeaderName, Request, headers},
};

/// A streamed answer has its head at once; a slower one is a fault.
const STREAM_HEAD_MAX: Duration = Duration::from_secs(60);

impl Ctx {
    /// Prices a turn of a conversation. Its history is not known yet, so the prompt is bounded by what the plan
    /// takes: the history that is read back fits the same bound.
    ///
    /// # Errors
    /// As for [`Ctx::price_call`]; `claude_misconfigured` where there is no key; `prompt_too_long`.
    pub fn price_chat(&self, caller: &auth::Caller, body: &ChatBody) -> Result<PricedCall, Error> {
        self.claude()?;
        let plan = caller.plan.plan();
        let system_bytes = body.system.as_ref().map_or(0, |text| text.len() as u64);
        if system_bytes > plan.input_tokens_max {
            return Err(too_long(plan.input_tokens_max).pointer("/system"));
        }
        if body.message_bytes() > plan.input_tokens_max {
            return Err(too_long(plan.input_tokens_max));
        }
        let wish = Wish {
            model: body.model.as_deref(),
            max_tokens: body.max_tokens,
            bound: InputBound {
                input_tokens: plan.input_tokens_max.saturating_add(system_bytes),
                // Where inference runs is not asked for, so it may run in `us`, which is dearer.
                geo_us: true,
                ..InputBound::default()
            },
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
        let context_tokens = cost::find(&facts.model).and_then(|model| model.context_tokens).unwrap_or(1_000_000);
        let input_tokens = input_tokens_bound(body, facts.has_server_tools, context_tokens);
        let web_searches = facts.web_searches.ok_or_else(|| {
            let detail = "Set `max_uses` on the web search tool: without it there is no bound to what the call costs.";
            Error::new(Code::FeatureNotPriced, detail).pointer("/tools")
        })?;
        let wish = Wish {
            model: Some(&facts.model),
            max_tokens: Some(facts.max_tokens),
            bound: InputBound {
                input_tokens,
                web_searches,
                fast: facts.fast,
                // Unless it is asked for elsewhere, inference may run in `us`, which is dearer.
                geo_us: facts.inference_geo.as_deref().is_none_or(|geo| geo == "us"),
            },
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
            system: body.system.as_deref(),
            history: &history,
        };
        Ok(UpstreamCall {
            body: Bytes::from(prompt_body(&prompt)?),
            version: API_VERSION.to_owned(),
            beta: None,
            head_deadline: STREAM_HEAD_MAX,
        })
    }
}

/// The request of the Messages route: the caller's own bytes and headers.
///
/// # Errors
/// `invalid_header`.
pub fn messages_call(request: &Request, facts: &RequestFacts) -> Result<UpstreamCall, Error> {
    let header = |name| headers::single(request.headers(), &HeaderName::from_static(name));
    let beta: Vec<_> = request.headers().get_all("anthropic-beta").iter().filter_map(|one| one.to_str().ok()).collect();
    Ok(UpstreamCall {
        body: request.body().clone(),
        version: header("anthropic-version")?.unwrap_or(API_VERSION).to_owned(),
        beta: (!beta.is_empty()).then(|| beta.join(",")),
        head_deadline: if facts.stream { STREAM_HEAD_MAX } else { Duration::from_millis(CALL_MAX_MS) },
    })
}

fn too_long(tokens: u64) -> Error {
    Error::new(Code::PromptTooLong, format!("The prompt is longer than the {tokens} tokens that your plan takes."))
}
