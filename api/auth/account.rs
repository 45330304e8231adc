//! POST, GET, PATCH, DELETE /api/auth/account - Signs up; shows, changes, exports or deletes one's own account; API keys.
//!
//! POST: `{"email", "password"}` is answered 202 and the same whether or not the address is taken. GET: the account,
//! its subscription, sessions and keys; `?export=1` everything of mine as JSON lines. PATCH: `{"password", "new_password"?,
//! "new_email"?}`. DELETE: `{"password"}`. API keys: POST `?key=new` with `{"name"}` shows one once, DELETE `?key=ID`
//! revokes it.
//! Errors: `weak_password`, `wrong_credentials`, `limit_exceeded`, `session_revoked`, `forbidden`, `conflict`,
//! `not_found`, `too_busy`, `invalid_json`, `invalid_body`, `store_unavailable`, `limiter_unavailable`.
//! What takes a password costs one limiter and one or two store round trips and a hash; the rest one store round trip.

use std::process::ExitCode;

use purser::{
    Ctx, Error,
    account::{Change, Farewell, NewKey, SignUp},
    http::{self, Method, Request, Response, StatusCode, query},
    serve::{self, Route},
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "auth-account",
        methods: &[Method::POST, Method::GET, Method::PATCH, Method::DELETE],
        body_cap_bytes: 16_384,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store_and_limiter,
        handle: |ctx, request| match *request.method() {
            Method::POST => Box::pin(create(ctx, request)),
            Method::GET => Box::pin(read(ctx, request)),
            Method::PATCH => Box::pin(change(ctx, request)),
            _ => Box::pin(delete(ctx, request)),
        },
    })
}

async fn create(ctx: Ctx, request: Request) -> Result<Response, Error> {
    if query::parameter(&request, "key")?.is_some() {
        let caller = ctx.caller(&request).await?;
        let key = ctx.create_key(&caller, NewKey::parse(request.body())?).await?;
        return http::json(StatusCode::CREATED, &key);
    }
    let body = SignUp::parse(request.body())?;
    ctx.sign_up(&request, body).await?;
    let next = "Sign in. If you cannot, the address had an account before.";
    http::json(StatusCode::ACCEPTED, &json!({ "status": "accepted", "next": next }))
}

async fn read(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    match query::parameter(&request, "export")?.as_deref() {
        Some("1") => ctx.export(&caller).await,
        _ => http::json(StatusCode::OK, &ctx.profile(&caller).await?),
    }
}

async fn change(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let body = Change::parse(request.body())?;
    http::json(StatusCode::OK, &ctx.change_account(&request, &caller, body).await?)
}

async fn delete(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    match query::parameter(&request, "key")? {
        Some(id) => ctx.revoke_key(&caller, &id).await?,
        None => ctx.delete_account(&request, &caller, Farewell::parse(request.body())?).await?,
    }
    Ok(http::no_content())
}
