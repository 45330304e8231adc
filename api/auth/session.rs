//! POST, PUT, DELETE /api/auth/session - Signs in; refreshes; signs out.
//!
//! POST: `{"email", "password", "cookie"?}` gives `{access_token, token_type, expires_in, refresh_token, user}`; with
//! `"cookie": true` the refresh token goes into a cookie that no script can read. PUT: `{"refresh_token"}`, or the
//! cookie and no body, gives the next pair. DELETE, by access token, refresh token or cookie: 204; `?id=` another
//! session of the account, `?all=1` everywhere.
//! Errors: `wrong_credentials`, `limit_exceeded`, `session_revoked`, `forbidden`, `too_busy`, `invalid_json`,
//! `invalid_body`, `store_unavailable`, `limiter_unavailable`. POST costs one limiter and two store round trips and a
//! hash, PUT one store round trip, DELETE one of each.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    account::{Refresh, SignIn},
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
};

fn main() -> ExitCode {
    serve::run(Route {
        name: "auth-session",
        methods: &[Method::POST, Method::PUT, Method::DELETE],
        body_cap_bytes: 16_384,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| match *request.method() {
            Method::POST => Box::pin(sign_in(ctx, request)),
            Method::PUT => Box::pin(refresh(ctx, request)),
            _ => Box::pin(sign_out(ctx, request)),
        },
    })
}

async fn sign_in(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let body = SignIn::parse(request.body())?;
    http::json(StatusCode::OK, &ctx.sign_in(&request, body).await?)
}

async fn refresh(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let body = Refresh::parse(request.body())?;
    http::json(StatusCode::OK, &ctx.refresh(&request, body).await?)
}

async fn sign_out(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let body = Refresh::parse(request.body())?;
    ctx.sign_out(&request, body).await?;
    Ok(http::no_content())
}
