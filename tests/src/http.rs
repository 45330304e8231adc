//! HTTP as a client sees it, with the platform's headers, so that a test can wait for the work behind an answer.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    contract::{self, Asked},
    function::Function,
};

/// A request in the making.
pub struct Call {
    function: Arc<Function>,
    invocation: u64,
    request: reqwest::RequestBuilder,
    asked: Asked,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// Body.
    pub text: String,
    /// What openapi.json calls the operation that answered; none for what it serves nowhere.
    pub operation: Option<&'static str>,
}

impl Call {
    /// A request to a function.
    ///
    /// # Panics
    /// Where the method is none.
    pub fn new(function: Arc<Function>, method: &str, path: &str) -> Self {
        let invocation = function.next_invocation();
        let request = client()
            .request(method.parse().unwrap(), function.url(path))
            .header("x-vercel-internal-invocation-id", format!("inv-{invocation}"))
            .header("x-vercel-internal-request-id", invocation);
        let asked = Asked { method: method.to_owned(), target: path.to_owned(), body: None };
        Self { function, invocation, request, asked }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Adds a bearer token; an empty one adds nothing.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        if token.is_empty() { self } else { self.header("authorization", &format!("Bearer {token}")) }
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        let text = body.to_string();
        self.header("content-type", "application/json").body(text)
    }

    /// Sets a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        let body = body.into();
        self.asked.body = body.as_bytes().map(<[u8]>::to_vec);
        self.request = self.request.body(body);
        self
    }

    /// Sends it, reads the answer whole, and waits until the platform would end the invocation: everything that the
    /// call writes down is written.
    ///
    /// # Panics
    /// Where there is no answer, or one that openapi.json does not tell of.
    pub async fn send(self) -> Reply {
        let response = self.request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let (function, invocation) = (self.function, self.invocation);
        tokio::task::spawn_blocking(move || function.wait_for_end(invocation)).await.unwrap();
        let mut reply = Reply { status, headers, text, operation: None };
        reply.operation = contract::check(&self.asked, &reply);
        reply
    }

    /// Sends it and gives the answer as it comes, with what waits for its end.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn open(self) -> (reqwest::Response, impl AsyncFnOnce()) {
        let response = self.request.send().await.unwrap();
        let (function, invocation) = (self.function, self.invocation);
        let ended = async move || {
            tokio::task::spawn_blocking(move || function.wait_for_end(invocation)).await.unwrap();
        };
        (response, ended)
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// A header's text; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The data of every event of a stream.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// Whether this is an RFC 9457 problem with a code, a sentence, and the id of this very request.
    ///
    /// # Panics
    /// Where it is not.
    pub fn assert_problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(body["detail"].as_str().unwrap().ends_with('.'), "{}", self.text);
        body
    }
}

fn client() -> reqwest::Client {
    // Fresh connections: which test ran before must not matter.
    reqwest::Client::builder()
        .tls_backend_preconfigured((*purser::net::tls_config()).clone())
        .no_proxy()
        // Where a redirect leads is for the test to see.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}
