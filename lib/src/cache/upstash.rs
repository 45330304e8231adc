//! Upstash's REST API (<https://upstash.com/docs/redis/features/restapi>, 2026-08).

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, StatusCode, header::AUTHORIZATION, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Arg, CacheError, DEADLINE, Reply};
use crate::net;

/// Upstash over REST. See [`super::Cache`].
#[derive(Clone)]
pub struct UpstashCache {
    url: Arc<str>,
    /// Marked sensitive, so that it prints as `Sensitive`.
    authorization: HeaderValue,
    prefix: Arc<str>,
    deadline: Duration,
}

impl UpstashCache {
    pub(super) fn new(url: &str, token: &str, prefix: &str) -> Result<Self, CacheError> {
        let parsed = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        if parsed.is_none_or(|url| url.query().is_some() || !url.username().is_empty()) {
            return Err(CacheError::Address("it must look like https://NAME.upstash.io"));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| CacheError::Address("the token cannot stand in a header"))?;
        authorization.set_sensitive(true);
        Ok(Self { url: url.trim_end_matches('/').into(), authorization, prefix: prefix.into(), deadline: DEADLINE })
    }

    pub(super) fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// One PING: the cheapest way to have the TLS connection open.
    pub(super) async fn warm(&self, deadline: Instant) {
        let _ = self.command(&[Arg::from("PING")], deadline).await;
    }

    pub(super) async fn command(&self, args: &[Arg], deadline: Instant) -> Result<Reply, CacheError> {
        answer(self.post("/", &command(args), deadline).await?)
    }

    pub(super) async fn pipeline(
        &self,
        commands: &[Vec<Arg>],
        deadline: Instant,
    ) -> Result<Vec<Result<Reply, CacheError>>, CacheError> {
        self.many("/pipeline", commands, deadline).await
    }

    /// Several commands as one transaction: all of them run, or none.
    ///
    /// # Errors
    /// Any [`CacheError`], also where Redis discarded the whole; inside the list, that of each command.
    pub async fn multi_exec(&self, commands: &[Vec<Arg>]) -> Result<Vec<Result<Reply, CacheError>>, CacheError> {
        self.many("/multi-exec", commands, Instant::now() + self.deadline).await
    }

    async fn many(
        &self,
        path: &str,
        commands: &[Vec<Arg>],
        deadline: Instant,
    ) -> Result<Vec<Result<Reply, CacheError>>, CacheError> {
        let body = Value::Array(commands.iter().map(|args| command(args)).collect());
        match self.post(path, &body, deadline).await? {
            Value::Array(items) if items.len() == commands.len() => Ok(items.into_iter().map(answer).collect()),
            other => Err(answer(other).err().unwrap_or_else(|| nonsense("a pipeline's answer of another length"))),
        }
    }

    /// Posts and reads the JSON, whatever the status: errors come as `{"error"}` with 400.
    async fn post(&self, path: &str, body: &Value, deadline: Instant) -> Result<Value, CacheError> {
        let body = body.to_string();
        let attempt = async || {
            let sent = self.request(path, body.clone()).send().await?;
            Ok::<_, reqwest::Error>((sent.status(), sent.bytes().await?))
        };
        let exchange = async {
            match attempt().await {
                // A kept-alive connection that Upstash had closed meanwhile.
                Err(error) if !error.is_connect() => attempt().await,
                done => done,
            }
        };
        let (status, bytes) = timeout_at(deadline, exchange)
            .await
            .map_err(|_| CacheError::Deadline)?
            .map_err(|error| CacheError::Unreachable(error.without_url().to_string()))?;
        match (status, serde_json::from_slice(&bytes)) {
            (StatusCode::UNAUTHORIZED, _) => Err(CacheError::Auth),
            (status, _) if status.is_server_error() => Err(CacheError::Unreachable(format!("HTTP {status}"))),
            (_, Ok(json)) => Ok(json),
            (status, Err(_)) => Err(CacheError::Protocol(format!("HTTP {status} without JSON"))),
        }
    }

    fn request(&self, path: &str, body: String) -> reqwest::RequestBuilder {
        net::http_client()
            .post(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            // Without it, bytes that are no UTF-8 come back as U+FFFD.
            .header("upstash-encoding", "base64")
            .body(body)
    }
}

fn command(args: &[Arg]) -> Value {
    Value::Array(args.iter().map(|Arg(arg)| Value::String(arg.clone())).collect())
}

/// `{"result": …}` or `{"error": "…"}`.
fn answer(json: Value) -> Result<Reply, CacheError> {
    let Value::Object(mut object) = json else {
        return Err(nonsense("neither result nor error"));
    };
    if let Some(Value::String(error)) = object.get("error") {
        return Err(CacheError::from_server(error));
    }
    reply(object.remove("result").ok_or_else(|| nonsense("neither result nor error"))?)
}

fn reply(json: Value) -> Result<Reply, CacheError> {
    Ok(match json {
        Value::Null => Reply::Nil,
        Value::Number(number) => Reply::Int(number.as_i64().ok_or_else(|| nonsense("a number that is no integer"))?),
        // Every string is base64, only this status is not.
        Value::String(text) if text == "OK" => Reply::Text(text.into_bytes()),
        Value::String(text) => {
            Reply::Text(BASE64_STANDARD.decode(text).map_err(|_| nonsense("a string that is no base64"))?)
        }
        Value::Array(items) => Reply::List(items.into_iter().map(reply).collect::<Result<_, _>>()?),
        Value::Bool(_) | Value::Object(_) => return Err(nonsense("a JSON type that Redis has not")),
    })
}

fn nonsense(what: &str) -> CacheError {
    CacheError::Protocol(what.to_owned())
}

impl fmt::Debug for UpstashCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstashCache").field("url", &self.url).field("prefix", &self.prefix).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Reply, CacheError> {
        answer(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn strings_come_back_byte_for_byte() {
        assert_eq!(read(r#"{"result":"/wD+"}"#), Ok(Reply::Text(vec![0xff, 0, 0xfe])));
        assert_eq!(read(r#"{"result":"OK"}"#), Ok(Reply::Text(b"OK".to_vec())));
        assert_eq!(read(r#"{"result":""}"#), Ok(Reply::Text(Vec::new())));
        assert_eq!(
            read(r#"{"result":[null,9007199254740993,["YQ=="]]}"#),
            Ok(Reply::List(vec![
                Reply::Nil,
                Reply::Int(9_007_199_254_740_993),
                Reply::List(vec![Reply::Text(b"a".to_vec())])
            ]))
        );
    }

    #[test]
    fn errors_and_nonsense_are_told_apart() {
        assert_eq!(read(r#"{"error":"ERR no"}"#), Err(CacheError::Command("ERR no".to_owned())));
        for nonsense in [r#"{}"#, "[]", r#"{"result":1.5}"#, r#"{"result":"!"}"#, r#"{"result":{}}"#] {
            assert!(matches!(read(nonsense), Err(CacheError::Protocol(_))), "{nonsense}");
        }
    }
}
