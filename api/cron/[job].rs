//! GET /api/cron/{job} - What has to be done from time to time, and how well everything is.
//!
//! `reconcile` settles calls whose process died, brings in what waits, compares budgets and usage hashes with the
//! ledger, which wins, and reads subscriptions that should have changed at Stripe. `cleanup` deletes sessions that are
//! over and Stripe's events that nobody repeats. Both need `Authorization: Bearer CRON_SECRET`, as Vercel's cron sends
//! it. `health` asks the store and the limiter, and answers 503 where one of them does not; `Authorization: Bearer
//! ADMIN_SECRET`. All may run at any time, also twice at once. Errors: `forbidden`, `not_found`, `store_unavailable`, `limiter_unavailable`.

use std::process::ExitCode;

use purser::{
    Code, Ctx, Error, env,
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "cron-job",
        methods: &[Method::GET],
        body_cap_bytes: 0,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| Box::pin(get(ctx, request)),
    })
}

async fn get(ctx: Ctx, request: Request) -> Result<Response, Error> {
    match request.uri().path().rsplit('/').next() {
        Some("reconcile") => {
            ctx.require_secret(&request, &env::CRON_SECRET)?;
            // One does not wait for the other to go well.
            let subscriptions = ctx.reconcile_subscriptions().await;
            let mut done = ctx.reconcile().await?;
            done["subscriptions"] = subscriptions?;
            http::json(StatusCode::OK, &done)
        }
        Some("cleanup") => {
            ctx.require_secret(&request, &env::CRON_SECRET)?;
            http::json(StatusCode::OK, &ctx.clean_up().await?)
        }
        Some("health") => {
            ctx.require_secret(&request, &env::ADMIN_SECRET)?;
            let (status, word, checks) = match ctx.deep_check().await {
                Ok(checks) => (StatusCode::OK, "ok", checks),
                Err(checks) => (StatusCode::SERVICE_UNAVAILABLE, "degraded", checks),
            };
            http::json(status, &json!({ "status": word, "version": purser::version(), "checks": checks }))
        }
        _ => Err(Error::new(Code::NotFound, "There is no such job. There are `reconcile`, `cleanup` and `health`.")),
    }
}
