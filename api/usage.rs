//! GET /api/usage - What the caller used, what it cost, and what is left.
//!
//! `?days=` (1 to 366, 31 if absent), by UTC day and model, out of the ledger. Reading it spends nothing.
//! Errors: `invalid_query`, `session_revoked`, `limiter_unavailable`, `store_unavailable`.
//! Costs one limiter and one store round trip.

use std::process::ExitCode;

use purser::{
    Ctx, Error, clock,
    ctx::admission::standings_json,
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
    usage_report::{days_json, sum_json, total},
};
use serde_json::json;

const DAY_MS: i64 = 86_400_000;

fn main() -> ExitCode {
    serve::run(Route {
        name: "usage",
        methods: &[Method::GET],
        body_cap_bytes: 0,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| Box::pin(get(ctx, request)),
    })
}

async fn get(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let mut caller = ctx.caller(&request).await?;
    let days = http::query::number(&request, "days", 31, 366)?;
    let limits = loop {
        match ctx.standings(&caller).await {
            Ok(limits) => break limits,
            // The token may be older than the plan in force.
            Err(error) => ctx.follow_plan(&mut caller, error).await?,
        }
    };
    // Calls are dated by the limiter's clock: one that is ahead of ours may have begun tomorrow.
    let tomorrow_ms = (clock::shared_now_ms() / DAY_MS + 1) * DAY_MS;
    let (since_ms, until_ms) = (tomorrow_ms - i64::from(days) * DAY_MS, tomorrow_ms + DAY_MS);
    let store = ctx.store_of(&caller).await?;
    let sums = ctx.time("store", store.usage_by_day(caller.id.as_str(), since_ms, until_ms)).await?;
    http::json(
        StatusCode::OK,
        &json!({
            "caller": caller.id,
            "plan": caller.plan,
            "limits": standings_json(&limits),
            "totals": sum_json(&total(&sums)),
            "days": days_json(&sums),
        }),
    )
}
