//! `/_standin/…`: what the real API does not have.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /_standin/calls` | the bill: `{"calls": […]}` |
//! | `GET /_standin/requests` | what came in: `{"requests": […]}` |
//! | `POST /_standin/next` | queues the body's directives for a coming call |
//! | `POST /_standin/gates/NAME` | opens the gate |
//! | `GET /_standin/gates/NAME/reached` | answers once a call waits there |
//! | `POST /_standin/forget` | starts afresh |

use http::{HeaderValue, Method, Response, header};
use serde_json::{Value, json};

use super::{refusal::Refusal, server::State};
use crate::body::{self, Body};

pub(crate) async fn answer(state: &State, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["calls"]) => json_response(&json!({ "calls": state.bill.calls() })),
        ("GET", ["requests"]) => json_response(&json!({ "requests": state.seen.requests() })),
        ("POST", ["next"]) => {
            state.queue(&String::from_utf8_lossy(body));
            done()
        }
        ("POST", ["gates", name]) => {
            state.gates.open(name);
            done()
        }
        ("GET", ["gates", name, "reached"]) => {
            state.gates.reached(name).await;
            done()
        }
        ("POST", ["forget"]) => {
            state.forget();
            done()
        }
        _ => Refusal::new("not_found_error", "The stand-in has no such control.").response("req_control"),
    }
}

fn done() -> Response<Body> {
    json_response(&json!({ "ok": true }))
}

/// A JSON answer with status 200.
pub(crate) fn json_response(value: &Value) -> Response<Body> {
    let mut response = Response::new(body::full(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
