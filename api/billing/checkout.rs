//! POST /api/billing/checkout - Where to pay: Stripe Checkout for a free user, the billing portal for a subscriber.
//!
//! Body: none, or `{"return_path"}` (default `/`): the page comes back there with `?checkout=done` or
//! `?checkout=cancelled`. Answer: `{"url", "kind"}`, `kind` being `checkout` or `portal`.
//! Errors: `invalid_token`, `forbidden` (an API key), `session_revoked`, `account_required`, `invalid_json`,
//! `invalid_body`, `billing_off`, `conflict`, `stripe_unavailable`, `stripe_misconfigured`, `store_unavailable`,
//! `limiter_unavailable`. Asking again is safe after each of them: one customer a user, one open session at a time.
//! Costs two to four calls of Stripe, a limiter round trip and some of the store.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    billing::{Door, ReturnPath},
    ctx::{buyer, page_origin},
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "billing-checkout",
        methods: &[Method::POST],
        body_cap_bytes: 4_096,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| Box::pin(post(ctx, request)),
    })
}

async fn post(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let user_id = buyer(&caller)?;
    let urls = ReturnPath::parse(request.body())?.urls(&page_origin(&request)?);
    // A session that was signed out must not open somebody's billing portal.
    ctx.check_credential(&caller).await?;
    let billing = ctx.billing().await?;
    let door = ctx.time("stripe", billing.open_door(user_id, &urls)).await?;
    let (kind, url) = match &door {
        Door::Checkout(url) => ("checkout", url),
        Door::Portal(url) => ("portal", url),
    };
    ctx.note("door", kind);
    http::json(StatusCode::OK, &json!({ "url": url, "kind": kind }))
}
