//! POST /api/v1/messages, POST /api/v1/messages/count_tokens, GET /api/v1/models - The Messages API of Anthropic's SDKs, with limits and a ledger in between.
//!
//! Body: as Claude's API takes it; what is not needed for limits and prices is not looked at and goes out as it
//! came. The key is the caller's token, as `x-api-key` or bearer. Answers and errors are in Anthropic's shapes.
//! A `max_tokens` above the plan's is a ceiling that is lowered: the answer's `x-purser-max-tokens` tells to what.
//! Counting tokens is free and has a window of its own. `GET /api/v1/models` and `/api/v1/models/{id}` tell what the
//! caller's plan includes and what it costs.
//! Errors: `invalid_json`, `invalid_body`, `feature_not_priced`, `model_*`, `max_tokens_too_large`,
//! `limit_exceeded`, `too_many_in_flight`, `limiter_unavailable`, `store_unavailable`, `claude_*`.
//! Costs one limiter round trip, one store round trip, and what Claude charges.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    auth::Caller,
    claude::RequestFacts,
    ctx::{ClientWire, ModelPage, call::OpenCall, messages_call},
    http::{self, Method, Request, Response, StatusCode, query},
    serve::{self, Route},
};

fn main() -> ExitCode {
    serve::run(Route {
        name: "v1-messages",
        methods: &[Method::GET, Method::POST],
        body_cap_bytes: 4_500_000,
        wire: http::Wire::Anthropic,
        start: purser::ctx::start_store_and_limiter,
        // vercel.json sends all paths here, and each arrives as the caller wrote it.
        handle: |ctx, request| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/api/v1/messages") => Box::pin(post(ctx, request)),
            ("POST", "/api/v1/messages/count_tokens") => Box::pin(count_tokens(ctx, request)),
            ("GET", _) => Box::pin(models(ctx, request)),
            _ => Box::pin(async { Err(serve::not_found()) }),
        },
    })
}

async fn post(ctx: Ctx, request: Request) -> Result<Response, Error> {
    // Refuse cheaply: nothing up to here needs a round trip.
    let mut caller = ctx.caller_by_key(&request).await?;
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
    ctx.call_within_plan(call, upstream, &facts, caller.plan.plan().hang_up(), wire).await
}

async fn open(ctx: &Ctx, caller: &Caller, facts: &RequestFacts, request: &Request) -> Result<OpenCall, Error> {
    let priced = ctx.price_messages(caller, facts, request.body())?;
    let hold = ctx.reserve(caller, &priced).await?;
    ctx.begin(caller, priced, hold).await
}

async fn count_tokens(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let mut caller = ctx.caller_by_key(&request).await?;
    let model = RequestFacts::model_to_count(request.body())?;
    loop {
        let counted = match ctx.check_model(&caller, &model) {
            Ok(_) => ctx.count_tokens(&caller, &request).await,
            Err(error) => Err(error),
        };
        match counted {
            Ok(response) => return Ok(response),
            Err(error) => ctx.follow_plan(&mut caller, error).await?,
        }
    }
}

async fn models(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller_by_key(&request).await?;
    if request.uri().path() == "/api/v1/models" {
        let id = |name| query::parameter(&request, name);
        let page = ModelPage {
            limit: query::number(&request, "limit", 20, 1_000)?,
            after_id: id("after_id")?,
            before_id: id("before_id")?,
        };
        return http::json(StatusCode::OK, &ctx.models(&caller, &page));
    }
    let id = http::path_segment(&request, "/api/v1/models/").ok_or_else(serve::not_found)?;
    http::json(StatusCode::OK, &ctx.model(&caller, &id)?)
}
