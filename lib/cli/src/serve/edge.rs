//! What the platform's edge does to a request's and an answer's headers.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers of one connection only (RFC 9110, 7.6.1), and those that the edge alone may set.
const DROPPED: &[&str] = &[
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "forwarded",
    "x-forwarded-port",
    "x-vercel-deployment-url",
    "x-vercel-ja4-digest",
    "x-vercel-proxied-for",
    "x-vercel-oidc-token",
    "x-vercel-proxy-signature",
];

/// Families of headers that the edge alone may set.
const DROPPED_PREFIXES: &[&str] = &["x-vercel-internal-", "x-vercel-ip-"];

/// The ids of one request.
pub(super) struct Ids {
    /// Shown to the caller, and the invocation's id for the function.
    pub(super) invocation: String,
    /// Unique within this process.
    pub(super) number: u64,
}

/// Makes a caller's headers what a function sees.
pub(super) fn inbound(headers: &mut HeaderMap, caller: IpAddr, ids: &Ids) {
    drop_hop_by_hop(headers);
    for name in DROPPED {
        headers.remove(*name);
    }
    let ours = |name: &HeaderName| DROPPED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    let dropped: Vec<HeaderName> = headers.keys().filter(|name| ours(name)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
    let caller = caller.to_string();
    for name in ["x-real-ip", "x-forwarded-for", "x-vercel-forwarded-for"] {
        set(headers, name, &caller);
    }
    match headers.get(header::HOST).cloned() {
        Some(host) => headers.insert("x-forwarded-host", host),
        None => headers.remove("x-forwarded-host"),
    };
    set(headers, "x-forwarded-proto", "http");
    set(headers, "x-vercel-id", &vercel_id(ids));
    set(headers, "x-vercel-internal-invocation-id", &ids.invocation);
    set(headers, "x-vercel-internal-request-id", &ids.number.to_string());
}

/// Makes a function's headers what the caller sees. `configured` are those of `vercel.json`: the function's own win.
pub(super) fn outbound<'c>(headers: &mut HeaderMap, configured: impl Iterator<Item = &'c (String, String)>, ids: &Ids) {
    drop_hop_by_hop(headers);
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"] {
        headers.remove(name);
    }
    configure(headers, configured);
    set(headers, "x-vercel-id", &vercel_id(ids));
    let uncached = HeaderValue::from_static("public, max-age=0, must-revalidate");
    headers.entry(header::CACHE_CONTROL).or_insert(uncached);
}

/// Adds headers of `vercel.json` that are not there yet.
pub(super) fn configure<'c>(headers: &mut HeaderMap, configured: impl Iterator<Item = &'c (String, String)>) {
    for (name, value) in configured {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.entry(name).or_insert(value);
        }
    }
}

/// Headers that `connection` names belong to this connection only.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let values: Vec<HeaderValue> = headers.get_all(header::CONNECTION).iter().cloned().collect();
    for name in values.iter().filter_map(|value| value.to_str().ok()).flat_map(|names| names.split(',')) {
        headers.remove(name.trim());
    }
}

fn vercel_id(ids: &Ids) -> String {
    format!("dev1::{}", ids.invocation)
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
