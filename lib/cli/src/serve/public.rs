//! Static files, as the platform serves `public/`.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::body::{self, Body};

/// Content types by the end of the name; what is not here is `application/octet-stream`.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("map", "application/json; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("xml", "application/xml"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/vnd.microsoft.icon"),
    ("woff2", "font/woff2"),
    ("woff", "font/woff"),
    ("wasm", "application/wasm"),
    ("pdf", "application/pdf"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
];

/// The folder of static files.
#[derive(Clone, Debug)]
pub(super) struct Public {
    folder: PathBuf,
}

/// A file that was found.
pub(super) struct Found {
    bytes: Vec<u8>,
    content_type: &'static str,
}

impl Public {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The file of a URL's path, or nothing.
    pub(super) async fn find(&self, path: &str) -> Option<Found> {
        let relative = relative(path)?;
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || read(&folder, &relative)).await.ok()?
    }
}

/// The path below the folder. No segment may be hidden, climb, or hold a separator once it is decoded.
fn relative(path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    let mut segments = path.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            break;
        }
        let name = decode(segment)?;
        let well_known = relative.as_os_str().is_empty() && name == ".well-known";
        if name.is_empty() || (name.starts_with('.') && !well_known) || name.contains(['/', '\\', '\0']) {
            return None;
        }
        relative.push(name);
    }
    Some(relative)
}

fn read(folder: &Path, relative: &Path) -> Option<Found> {
    let folder = folder.canonicalize().ok()?;
    let mut file = folder.join(relative).canonicalize().ok()?;
    if file.is_dir() {
        file = file.join("index.html").canonicalize().ok()?;
    }
    // A link may lead out of the folder.
    if !file.starts_with(&folder) || !file.is_file() {
        return None;
    }
    let extension = file.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    let content_type = TYPES.iter().find(|(end, _)| *end == extension).map_or("application/octet-stream", |(_, t)| t);
    Some(Found { bytes: std::fs::read(&file).ok()?, content_type })
}

/// Percent-decoding (RFC 3986, 2.1); nothing if that is no UTF-8 or no encoding.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let text = std::str::from_utf8(&digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(text, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

impl Found {
    /// The answer; 304 if the caller has it already, 405 for a method that does not read.
    pub(super) fn response(self, method: &Method, asked: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(body::full(""));
        if method != Method::GET && method != Method::HEAD {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let etag = etag(&self.bytes);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0, must-revalidate"));
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let known = known.flat_map(|tags| tags.split(',')).any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        });
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CONTENT_LENGTH, self.bytes.len().into());
        if method == Method::GET {
            *response.body_mut() = body::full(self.bytes);
        }
        response
    }
}

/// By content: the same after a new build or on another machine.
fn etag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:x}-{:016x}\"", bytes.len(), hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in [
            "/../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/a/..%2f..%2fx",
            "/a%2f..%2fb",
            "/..%5cx",
            "//etc/passwd",
            "/.env",
            "/a/.git/config",
            "/x%00.html",
            "/%zz",
            "/%ff",
            "/%+1",
            "relative",
        ] {
            assert_eq!(relative(path), None, "{path}");
        }
        assert_eq!(relative("/"), Some(PathBuf::new()));
        assert_eq!(relative("/a/b%20c.html"), Some(PathBuf::from("a/b c.html")));
        assert_eq!(relative("/.well-known/x"), Some(PathBuf::from(".well-known/x")));
    }
}
