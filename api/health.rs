//! GET /api/health - Says that the deployment is alive.
//!
//! `?deep=1` leads to `/api/cron/health`, which asks the store and the limiter and needs the admin secret: this
//! function links neither, so that it starts in the least time there is. Errors: `invalid_query`. Costs nothing.

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

async fn get(_: Ctx, request: Request) -> Result<Response, Error> {
    if http::query::parameter(&request, "deep")?.as_deref() == Some("1") {
        return Ok(http::redirect("/api/cron/health"));
    }
    http::json(StatusCode::OK, &json!({ "status": "ok", "version": purser::version() }))
}
