//! GET, POST /api/conversations - Lists the caller's conversations; makes a new one.
//!
//! GET: `?limit=` (1 to 100, 30 if absent) and `?cursor=` from the page before. POST: `{"title"?, "id"?}`.
//! Errors: `invalid_query`, `invalid_json`, `invalid_body`, `conflict`, `session_revoked`, `store_unavailable`.
//! Costs one store round trip.

use std::process::ExitCode;

use purser::{
    Code, Ctx, Error,
    chat::{NewConversation, conversation_json},
    clock,
    http::{self, Method, Request, Response, StatusCode},
    ids,
    serve::{self, Route},
    store::{Conversation, Cursor},
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "conversations",
        methods: &[Method::GET, Method::POST],
        body_cap_bytes: 16_384,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store,
        handle: |ctx, request| match *request.method() {
            Method::GET => Box::pin(list(ctx, request)),
            _ => Box::pin(create(ctx, request)),
        },
    })
}

async fn list(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let limit = http::query::number(&request, "limit", 30, 100)?;
    let after = http::query::parameter(&request, "cursor")?.map(|text| decode(&text)).transpose()?;
    let store = ctx.store_of(&caller).await?;
    let mut page = ctx.time("store", store.list_conversations(caller.id.as_str(), after.as_ref(), limit + 1)).await?;
    let has_more = page.len() > limit as usize;
    page.truncate(limit as usize);
    let last = page.last().filter(|_| has_more);
    let next_cursor = last.map(|one| Cursor { at_ms: one.updated_ms, id: one.id.clone() }.encode());
    let conversations: Vec<_> =
        page.iter().map(|one| conversation_json(&one.id, &one.title, one.created_ms, one.updated_ms)).collect();
    http::json(StatusCode::OK, &json!({ "conversations": conversations, "next_cursor": next_cursor }))
}

async fn create(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let body = NewConversation::parse(request.body())?;
    let now_ms = clock::now_ms();
    let new = Conversation {
        id: body.id.unwrap_or_else(ids::new_id),
        title: body.title,
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    let store = ctx.store_of(&caller).await?;
    if !ctx.time("store", store.create_conversation(caller.id.as_str(), &new)).await? {
        return Err(Error::new(Code::Conflict, "You have a conversation with this id. Choose another.").pointer("/id"));
    }
    http::json(StatusCode::CREATED, &conversation_json(&new.id, &new.title, new.created_ms, new.updated_ms))
}

fn decode(cursor: &str) -> Result<Cursor, Error> {
    Cursor::decode(cursor)
        .ok_or_else(|| Error::new(Code::InvalidQuery, "`cursor` must be the `next_cursor` of an earlier page."))
}
