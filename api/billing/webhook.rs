//! POST /api/billing/webhook - Stripe's events.
//!
//! Body: an event of any API version, signed in `Stripe-Signature`. An event is only a reason to read what Stripe says
//! about its customer now; what it says itself is not believed. Answer: `{"outcome"}`: `taken`, `repeated`, `ignored`
//! (it changes no subscription) or `foreign` (not our customer). Errors: `invalid_signature`, `invalid_json`,
//! `invalid_body`, `billing_off`, `stripe_unavailable`, `stripe_misconfigured`, `store_unavailable`,
//! `limiter_unavailable`: Stripe delivers again after each of them.
//! Costs one call of Stripe (one more for a subscription in arrears), one limiter and four store round trips.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
    stripe::Event,
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "billing-webhook",
        methods: &[Method::POST],
        body_cap_bytes: 1_048_576,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| Box::pin(post(ctx, request)),
    })
}

async fn post(ctx: Ctx, request: Request) -> Result<Response, Error> {
    ctx.check_stripe_signature(&request)?;
    let event = Event::parse(request.body())?;
    ctx.note("event", event.id.as_str());
    ctx.note("event_type", event.kind.as_str());
    let billing = ctx.billing().await?;
    let outcome = ctx.time("stripe", billing.take_event(&event)).await?.as_str();
    ctx.note("outcome", outcome);
    http::json(StatusCode::OK, &json!({ "outcome": outcome }))
}
