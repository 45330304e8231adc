//! Everything of mine, as JSON lines, streamed: no export is too large for the memory.

use serde_json::{Map, Value, json};

use super::{
    super::Ctx,
    profile::{key_json, session_json, user_json},
};
use crate::{
    Error,
    auth::Caller,
    http::{HeaderValue, Response, StreamSender, header, stream},
    store::{Kept, Store},
};

/// Entries of a page.
const PAGE: u32 = 200;

impl Ctx {
    /// Streams the account, its sessions, keys, conversations, messages and calls, one JSON object a line, each with
    /// its `type`. A last line `{"type":"end"}` says that nothing is missing.
    ///
    /// # Errors
    /// `not_found`, `session_revoked`, `store_unavailable`, all before the first line.
    pub async fn export(&self, caller: &Caller) -> Result<Response, Error> {
        let own = self.own(caller).await?;
        let store = self.store_of(caller).await?;
        let mut head = vec![line("account", user_json(&own.user))];
        head.extend(own.sessions.iter().map(|one| line("session", session_json(one, None))));
        head.extend(own.keys.iter().map(|one| line("api_key", key_json(one))));
        let (sender, body) = stream();
        let (ctx, owner) = (self.clone(), caller.id.0.clone());
        self.after(async move {
            if let Err(error) = send(&sender, &store, &owner, head.concat()).await {
                ctx.warn("export_failed", &error);
            }
        });
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"export.jsonl\""));
        Ok(response)
    }
}

async fn send(sender: &StreamSender, store: &Store, owner: &str, head: String) -> Result<(), Error> {
    let mut chunk = head;
    for kept in Kept::ALL {
        let mut after = String::new();
        loop {
            let page = store.export_page(owner, kept, &after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().and_then(id).unwrap_or_default();
            chunk.extend(page.into_iter().map(|entry| line(kept.name(), Value::Object(entry))));
            if sender.send(std::mem::take(&mut chunk).into()).await.is_err() {
                // The client has left.
                return Ok(());
            }
            if is_last {
                break;
            }
        }
    }
    let _ = sender.send(line("end", json!({})).into()).await;
    Ok(())
}

fn id(entry: &Map<String, Value>) -> Option<String> {
    entry.get("id").and_then(Value::as_str).map(str::to_owned)
}

fn line(kind: &str, mut entry: Value) -> String {
    entry["type"] = json!(kind);
    format!("{entry}\n")
}
