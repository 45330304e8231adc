//! POST /api/v1/messages - The Messages API of Anthropic's SDKs, with limits and a ledger in between.
//!
//! Body: as Claude's API takes it; what is not needed for limits and prices is not looked at and goes out as it
//! came. The key is the caller's token, as `x-api-key` or bearer. Answers and errors are in Anthropic's shapes.
//! Errors: `invalid_json`, `invalid_body`, `feature_not_priced`, `model_*`, `max_tokens_too_large`,
//! `limit_exceeded`, `too_many_in_flight`, `limiter_unavailable`, `store_unavailable`, `claude_*`.
//! Costs one limiter round trip, one store round trip, and what Claude charges.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    auth::Caller,
    claude::RequestFacts,
    ctx::{ClientWire, call::OpenCall, messages_call},
    http::{self, Method, Request, Response},
    serve::{self, Route},
};

fn main() -> ExitCode {
    serve::run(Route {
        name: "v1-messages",
        methods: &[Method::POST],
        body_cap_bytes: 4_500_000,
        wire: http::Wire::Anthropic,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| Box::pin(post(ctx, request)),
    })
}

async fn post(ctx: Ctx, request: Request) -> Result<Response, Error> {
    // Refuse cheaply: nothing up to here needs a round trip.
    let mut caller = ctx.caller_by_key(&request)?;
    let facts = RequestFacts::read(request.body())?;
    let upstream = messages_call(&request, &facts)?;

    // Reserve, write ahead, call, settle: as for chat, but the bytes are Claude's own.
    let call = loop {
        match open(&ctx, &caller, &facts, &request).await {
            Ok(call) => break call,
            // The token may be older than the plan in force.
            Err(error) => ctx.follow_plan(&mut caller, error).await?,
        }
    };
    let wire = ClientWire::Bytes { is_stream: facts.stream };
    ctx.call_claude(call, upstream, caller.plan.plan().hang_up, wire).await
}

async fn open(ctx: &Ctx, caller: &Caller, facts: &RequestFacts, request: &Request) -> Result<OpenCall, Error> {
    let priced = ctx.price_messages(caller, facts, request.body())?;
    let hold = ctx.reserve(caller, &priced).await?;
    ctx.begin(caller, priced, hold).await
}
