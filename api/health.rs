//! GET /api/health - Says that the deployment is alive; with the admin secret, how well.
//!
//! `?deep=1` asks the store and the limiter, and needs `Authorization: Bearer ADMIN_SECRET`; 503 where one of them
//! does not answer. Errors: `forbidden`, `invalid_query`. Costs nothing; with `?deep=1` a round trip to each.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "health",
        methods: &[Method::GET, Method::HEAD],
        body_cap_bytes: 0,
        wire: http::Wire::Problem,
        start: purser::ctx::start_nothing,
        handle: |ctx, request| Box::pin(get(ctx, request)),
    })
}

async fn get(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let version = purser::version();
    if http::query::parameter(&request, "deep")?.as_deref() != Some("1") {
        return http::json(StatusCode::OK, &json!({ "status": "ok", "version": version }));
    }
    ctx.require_admin(&request)?;
    let (status, word, checks) = match ctx.deep_check().await {
        Ok(checks) => (StatusCode::OK, "ok", checks),
        Err(checks) => (StatusCode::SERVICE_UNAVAILABLE, "degraded", checks),
    };
    http::json(status, &json!({ "status": word, "version": version, "checks": checks }))
}
