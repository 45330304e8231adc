//! Requests in, answers out: what the REST API looks like.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, header::AUTHORIZATION, request::Parts};
use serde_json::{Value as Json, json};

use super::backend::text_of;

type Args = Vec<Vec<u8>>;

/// What a request asks for.
pub(super) enum Asked {
    Command(Args),
    Pipeline(Vec<Args>),
    MultiExec(Vec<Args>),
}

pub(super) fn is_allowed(method: &Method) -> bool {
    [Method::HEAD, Method::GET, Method::POST, Method::PUT].contains(method)
}

/// From the header, or else from `?_token=`.
pub(super) fn token(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let query = || query(parts).find(|(name, _)| name == "_token").map(|(_, value)| value);
    header.map(str::to_owned).or_else(query)
}

pub(super) fn read(parts: &Parts, body: &[u8]) -> Result<Asked, String> {
    match parts.uri.path() {
        "/" => Ok(Asked::Command(command(&json_body(body, "command")?, "command")?)),
        "/pipeline" => Ok(Asked::Pipeline(commands(body, "pipeline request")?)),
        "/multi-exec" => Ok(Asked::MultiExec(commands(body, "multi-exec request")?)),
        path => Ok(Asked::Command(path_style(path, parts, body))),
    }
}

/// `/set/k/v?EX=100`; a body is one more argument, before those of the query.
fn path_style(path: &str, parts: &Parts, body: &[u8]) -> Args {
    let mut args: Args = path.split('/').skip(1).map(|segment| decoded(segment, false)).collect();
    if !body.is_empty() {
        args.push(body.to_vec());
    }
    for (name, value) in query(parts).filter(|(name, _)| name != "_token") {
        args.push(name.into_bytes());
        args.extend((!value.is_empty()).then(|| value.into_bytes()));
    }
    args
}

fn query(parts: &Parts) -> impl Iterator<Item = (String, String)> {
    let text = |encoded: &str| String::from_utf8_lossy(&decoded(encoded, true)).into_owned();
    parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (text(name), text(value))
    })
}

/// Percent-decoding (RFC 3986, 2.1); in a query `+` is a space.
fn decoded(text: &str, plus: bool) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) if plus => bytes.push(b' '),
            _ => bytes.push(byte),
        }
        rest = tail;
    }
    bytes
}

fn json_body(body: &[u8], what: &str) -> Result<Json, String> {
    serde_json::from_slice(body).map_err(|error| format!("ERR failed to parse {what}: {error}"))
}

fn commands(body: &[u8], what: &str) -> Result<Vec<Args>, String> {
    match json_body(body, what)? {
        Json::Array(items) if !items.is_empty() => items.iter().map(|item| command(item, what)).collect(),
        _ => Err(format!("ERR failed to parse {what}: expected a non-empty array of arrays")),
    }
}

fn command(json: &Json, what: &str) -> Result<Args, String> {
    let bad = || format!("ERR failed to parse {what}: expected an array of strings and numbers");
    let items = json.as_array().filter(|items| !items.is_empty()).ok_or_else(bad)?;
    items
        .iter()
        .map(|item| match item {
            Json::String(text) => Ok(text.clone().into_bytes()),
            Json::Number(number) => Ok(number.to_string().into_bytes()),
            Json::Bool(flag) => Ok(flag.to_string().into_bytes()),
            Json::Null | Json::Array(_) | Json::Object(_) => Err(bad()),
        })
        .collect()
}

/// How strings come back.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    /// As they are, with U+FFFD for what is not UTF-8.
    Plain,
    /// In base64, all but the status `OK`.
    Base64,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let asked = headers.get("upstash-encoding");
        if asked.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"base64")) {
            Self::Base64
        } else {
            Self::Plain
        }
    }

    /// `{"result": …}` or `{"error": "…"}`.
    pub(super) fn item(self, value: &redis::Value) -> Json {
        match value {
            redis::Value::ServerError(error) => json!({ "error": text_of(error) }),
            value => json!({ "result": self.result(value) }),
        }
    }

    fn result(self, value: &redis::Value) -> Json {
        match value {
            redis::Value::Int(number) => json!(number),
            redis::Value::Okay => json!("OK"),
            redis::Value::SimpleString(text) => self.string(text.as_bytes()),
            redis::Value::BulkString(bytes) => self.string(bytes),
            redis::Value::Array(values) => values.iter().map(|value| self.result(value)).collect(),
            redis::Value::ServerError(error) => json!(text_of(error)),
            _ => Json::Null,
        }
    }

    fn string(self, bytes: &[u8]) -> Json {
        match self {
            Self::Plain => json!(String::from_utf8_lossy(bytes)),
            Self::Base64 => json!(BASE64_STANDARD.encode(bytes)),
        }
    }
}
