//! POST /api/chat, GET /api/chat/{id}/stream - One answer of Claude in a stored conversation; a running one once more, from its beginning.
//!
//! Body: the AI SDK's (`id`, `messages`, `trigger`, `messageId`) or `{"message", "conversation_id"?}`, and
//! `model`?, `max_tokens`?, `system`?. Answer: a UI message stream, or JSON on `Accept: application/json`.
//! GET: the answer that is running in that conversation as a UI message stream, to its end; 204 where none is.
//! Errors: `invalid_json`, `invalid_body`, `model_*`, `max_tokens_too_large`, `not_found`, `limit_exceeded`,
//! `too_many_in_flight`, `session_revoked`, `limiter_unavailable`, `store_unavailable`, `claude_*`.
//! Costs one limiter round trip, one store round trip, and what Claude charges; GET one store round trip, and two
//! commands of Redis four times a second.

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
        methods: &[Method::GET, Method::POST],
        body_cap_bytes: 4_500_000,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        // vercel.json sends both paths here, and each arrives as the caller wrote it.
        handle: |ctx, request| match (request.method(), conversation_id(&request)) {
            (&Method::GET, Some(id)) => Box::pin(resume(ctx, request, id)),
            (&Method::POST, None) => Box::pin(post(ctx, request)),
            _ => Box::pin(async { Err(serve::not_found()) }),
        },
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
    ctx.call_claude(call, prompt, caller.plan.plan().hang_up(), wire).await
}

async fn open(ctx: &Ctx, caller: &Caller, body: &ChatBody) -> Result<OpenCall, Error> {
    let priced = ctx.price_chat(caller, body)?;

    // Reserve: the request, the slot and the money, all or nothing.
    let hold = ctx.reserve(caller, &priced).await?;

    // Write ahead: the turn and the ledger row stand before Claude hears of the call.
    ctx.begin_chat(caller, body, priced, hold).await
}

async fn resume(ctx: Ctx, request: Request, id: String) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    Ok(ctx.resume(&caller, &id).await?.unwrap_or_else(http::no_content))
}

fn conversation_id(request: &Request) -> Option<String> {
    let id = request.uri().path().strip_prefix("/api/chat/")?.strip_suffix("/stream")?;
    http::query::percent_decode(id)
}
