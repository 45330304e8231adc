//! Requests and answers as handlers see them: bodies whole, errors as problems, streams as channels.

mod body;
pub mod client_address;
pub mod cookies;
pub mod cors;
pub mod headers;
pub mod problem;
pub mod query;

pub use body::{Body, StreamSender, stream};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use bytes::Bytes;
use serde::Serialize;

use crate::Error;

/// A request whose body has arrived, within the route's cap.
pub type Request = http::Request<Bytes>;

/// An answer: whole, or a stream.
pub type Response = http::Response<Body>;

/// The shape in which a route tells its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// RFC 9457 `application/problem+json`.
    Problem,
    /// `{"type":"error","error":{…}}`, as Anthropic's SDKs read it.
    Anthropic,
}

/// A JSON answer.
///
/// # Errors
/// An internal error where the value cannot be written as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Error> {
    let bytes = serde_json::to_vec(value).map_err(Error::internal)?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// 204 No Content.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::from(Vec::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 307 Temporary Redirect to another path of this deployment.
pub fn redirect(path: &'static str) -> Response {
    let mut response = no_content();
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

/// The one dynamic segment of a path, decoded: `/api/conversations/{id}` gives `id` for the prefix
/// `/api/conversations/`.
///
/// The platform appends `?id=…` as well, but a caller's own `?id=` wins there, so the path decides.
pub fn path_segment(request: &Request, prefix: &str) -> Option<String> {
    let rest = request.uri().path().strip_prefix(prefix)?;
    let segment = rest.strip_suffix('/').unwrap_or(rest);
    if segment.is_empty() || segment.contains('/') {
        return None;
    }
    query::percent_decode(segment)
}
