//! Passing a request to a function and its answer back.

use std::{sync::Arc, sync::Mutex, sync::PoisonError, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{
    connections::Connection,
    edge::Ids,
    function::Function,
    instance::Instance,
    problem::problem,
    transfer::{Download, Upload},
};
use crate::body::Body;

/// A larger upload waits until the function asks for it (`Expect: 100-continue`, RFC 9110, 10.1.1). Sent at once to a
/// function that does not read it, it would break the connection before the answer is read.
const HELD_BYTES: u64 = 32 * 1024;
/// One that does not answer the question gets it anyway.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// Passes the request on; `path` is the caller's path with the final query.
pub(super) async fn pass(function: &Function, request: Request<Incoming>, path: Uri, ids: &Ids) -> Response<Body> {
    let deadline = function.max_duration.map(|most| Instant::now() + most);
    let answer = attempt(function, request, path, ids, deadline);
    let answer = match deadline {
        Some(deadline) => timeout_at(deadline, answer).await.unwrap_or(Err(Failure::TooLong)),
        None => answer.await,
    };
    answer.unwrap_or_else(|failure| failure.response(function, &ids.invocation))
}

enum Failure {
    NotStarted(String),
    /// With how the process ended, if it did.
    Broken(Option<String>),
    TooLong,
}

impl Failure {
    fn response(self, function: &Function, request_id: &str) -> Response<Body> {
        let name = function.name();
        let (status, code, detail) = match self {
            Self::NotStarted(why) => (StatusCode::BAD_GATEWAY, "function_not_started", why),
            Self::Broken(None) => (
                StatusCode::BAD_GATEWAY,
                "function_failed",
                format!(
                    "The function `{name}` closed the connection without an answer: a panic, most likely. The terminal says more."
                ),
            ),
            Self::Broken(Some(end)) => (
                StatusCode::BAD_GATEWAY,
                "function_failed",
                format!(
                    "The function `{name}` ended in mid-request ({end}). The terminal says more; the next request starts it again."
                ),
            ),
            Self::TooLong => (
                StatusCode::GATEWAY_TIMEOUT,
                "function_timeout",
                format!("The function `{name}` gave no answer within the maxDuration of vercel.json."),
            ),
        };
        problem(status, code, &detail, request_id)
    }
}

async fn attempt(
    function: &Function,
    request: Request<Incoming>,
    path: Uri,
    ids: &Ids,
    deadline: Option<Instant>,
) -> Result<Response<Body>, Failure> {
    let (instance, mut connection) = connect(function).await?;
    let mut sending = Sending { instance: instance.clone(), request: ids.number, headed: false };
    instance.open.begin(ids.number);
    let sent = connection.send(for_function(request, path)).await;
    let Ok(response) = sent else {
        return Err(Failure::Broken(instance.end_within(Duration::from_millis(200)).await));
    };
    sending.headed = true;
    let (parts, body) = response.into_parts();
    let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)) as std::pin::Pin<Box<Sleep>>);
    let download = Download { body, connection: Some(connection), instance, request: ids.number, deadline };
    Ok(Response::from_parts(parts, download.boxed_unsync()))
}

/// A request that has no head of an answer yet; dropped so, it is broken.
struct Sending {
    instance: Arc<Instance>,
    request: u64,
    headed: bool,
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.headed {
            self.instance.open.broken(self.request);
        }
    }
}

/// A process that takes a connection. One that does not any more is replaced: nothing has been sent to it yet.
async fn connect(function: &Function) -> Result<(Arc<Instance>, Connection), Failure> {
    let mut refused = None;
    for _ in 0..2 {
        let instance = function.instance().await.map_err(Failure::NotStarted)?;
        match instance.connections.take().await {
            Ok(connection) => return Ok((instance, connection)),
            Err(error) => refused = Some(error),
        }
        function.discard(&instance).await;
    }
    let why = refused.map(|error| error.to_string()).unwrap_or_default();
    Err(Failure::NotStarted(format!("The function `{}` takes no connection: {why}.", function.name())))
}

fn for_function(request: Request<Incoming>, path: Uri) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    parts.uri = path;
    parts.version = Version::HTTP_11;
    if !parts.headers.contains_key(header::HOST) {
        parts.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    let held = body.size_hint().exact().is_none_or(|bytes| bytes > HELD_BYTES);
    let mut upload = Upload::new(body);
    if !held {
        return Request::from_parts(parts, upload.boxed_unsync());
    }
    parts.headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let go = Mutex::new(Some(upload.hold(LONGEST_HOLD)));
    let mut request = Request::from_parts(parts, upload.boxed_unsync());
    hyper::ext::on_informational(&mut request, move |informational| {
        if informational.status() == StatusCode::CONTINUE {
            let go = go.lock().unwrap_or_else(PoisonError::into_inner).take();
            let _ = go.map(|go| go.send(()));
        }
    });
    request
}
