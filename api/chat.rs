//! POST /api/chat - One answer of Claude in a stored conversation.
//!
//! Body: the AI SDK's (`id`, `messages`, `trigger`, `messageId`) or `{"message", "conversation_id"?}`, and
//! `model`?, `max_tokens`?, `system`?. Answer: a UI message stream, or JSON on `Accept: application/json`.
//! Errors: `invalid_json`, `invalid_body`, `model_*`, `max_tokens_too_large`, `not_found`, `limit_exceeded`,
//! `too_many_in_flight`, `session_revoked`, `limiter_unavailable`, `store_unavailable`, `claude_*`.
//! Costs one limiter round trip, one store round trip, and what Claude charges.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    auth::Caller,
    chat::{ChatBody, UiStream},
    ctx::{ClientWire, call::OpenCall},
    http::{self, Method, Request, Response},
    serve::{self, Route},
};

fn main() -> ExitCode {
    serve::run(Route {
        name: "chat",
        methods: &[Method::POST],
        body_cap_bytes: 4_500_000,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| Box::pin(post(ctx, request)),
    })
}

async fn post(ctx: Ctx, request: Request) -> Result<Response, Error> {
    // Refuse cheaply: nothing up to here needs a round trip.
    let mut caller = ctx.caller(&request).await?;
    let body = ChatBody::parse(request.body())?;
    let call = loop {
        match open(&ctx, &caller, &body).await {
            Ok(call) => break call,
            // The token may be older than the plan in force.
            Err(error) => ctx.follow_plan(&mut caller, error).await?,
        }
    };

    // Call, pass on, settle: in a task that outlives the client.
    let prompt = call.chat_prompt(&body)?;
    let wire = if http::headers::wants_json(request.headers()) {
        ClientWire::Json
    } else {
        ClientWire::Ui(UiStream::default())
    };
    ctx.call_claude(call, prompt, caller.plan.plan().hang_up, wire).await
}

async fn open(ctx: &Ctx, caller: &Caller, body: &ChatBody) -> Result<OpenCall, Error> {
    let priced = ctx.price_chat(caller, body)?;

    // Reserve: the request, the slot and the money, all or nothing.
    let hold = ctx.reserve(caller, &priced).await?;

    // Write ahead: the turn and the ledger row stand before Claude hears of the call.
    ctx.begin_chat(caller, body, priced, hold).await
}
