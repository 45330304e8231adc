//! GET, PATCH, DELETE /api/conversations/{id} - Reads, renames or deletes one conversation.
//!
//! GET: with messages, `?limit=` (1 to 200, 100 if absent) and `?cursor=`; `?format=ui` gives them as `useChat` has them. PATCH: `{"title"}`. DELETE: 204.
//! Errors: `not_found` (also for another caller's), `invalid_query`, `invalid_json`, `invalid_body`,
//! `session_revoked`, `store_unavailable`. Costs one or two store round trips. What calls cost stays in the ledger.

use std::process::ExitCode;

use purser::{
    Code, Ctx, Error,
    chat::{Rename, StoredPart, conversation_json, message_json, ui_messages},
    clock,
    http::{self, Method, Request, Response, StatusCode},
    serve::{self, Route},
};
use serde_json::json;

fn main() -> ExitCode {
    serve::run(Route {
        name: "conversations-id",
        methods: &[Method::GET, Method::PATCH, Method::DELETE],
        body_cap_bytes: 16_384,
        wire: http::Wire::Problem,
        start: purser::ctx::start_store,
        handle: |ctx, request| match *request.method() {
            Method::GET => Box::pin(read(ctx, request)),
            Method::PATCH => Box::pin(rename(ctx, request)),
            _ => Box::pin(delete(ctx, request)),
        },
    })
}

async fn read(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let id = conversation_id(&request)?;
    let limit = http::query::number(&request, "limit", 100, 200)?;
    let is_for_ui = match http::query::parameter(&request, "format")?.as_deref() {
        None | Some("blocks") => false,
        Some("ui") => true,
        Some(_) => return Err(Error::new(Code::InvalidQuery, "`format` must be `ui` or `blocks`.")),
    };
    let after = match http::query::parameter(&request, "cursor")? {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| Error::new(Code::InvalidQuery, "`cursor` must be the `next_cursor` of an earlier page."))?,
    };
    let store = ctx.store_of(&caller).await?;
    let conversation = ctx.time("store", store.conversation(caller.id.as_str(), &id)).await?.ok_or_else(not_found)?;
    let mut page = ctx.time("store", store.messages(caller.id.as_str(), &id, after, limit + 1)).await?;
    let has_more = page.len() > limit as usize;
    page.truncate(limit as usize);
    let next_cursor = page.last().filter(|_| has_more).map(|last| last.position.to_string());
    let stored = page.iter().map(|one| StoredPart {
        id: one.client_id.as_ref().unwrap_or(&one.id),
        answer_id: one.answer_id.as_deref(),
        role: &one.role,
        content: &one.content,
        created_ms: one.created_ms,
    });
    let messages = if is_for_ui { ui_messages(stored) } else { stored.map(message_json).collect() };
    let mut body = conversation_json(&id, &conversation.title, conversation.created_ms, conversation.updated_ms);
    body["messages"] = json!(messages);
    body["next_cursor"] = json!(next_cursor);
    http::json(StatusCode::OK, &body)
}

async fn rename(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let id = conversation_id(&request)?;
    let title = Rename::parse(request.body())?.title;
    let store = ctx.store_of(&caller).await?;
    let renamed = store.rename_conversation(caller.id.as_str(), &id, &title, clock::now_ms());
    let renamed = ctx.time("store", renamed).await?.ok_or_else(not_found)?;
    http::json(StatusCode::OK, &conversation_json(&id, &renamed.title, renamed.created_ms, renamed.updated_ms))
}

async fn delete(ctx: Ctx, request: Request) -> Result<Response, Error> {
    let caller = ctx.caller(&request).await?;
    let id = conversation_id(&request)?;
    let store = ctx.store_of(&caller).await?;
    match ctx.time("store", store.delete_conversation(caller.id.as_str(), &id)).await? {
        true => Ok(http::no_content()),
        false => Err(not_found()),
    }
}

fn conversation_id(request: &Request) -> Result<String, Error> {
    http::path_segment(request, "/api/conversations/").ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "You have no conversation with this id.")
}
