//! From a request to the one who answers it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use purser::{Code, ids};

use super::{
    address,
    build::Builder,
    edge::{self, Ids},
    function::Function,
    problem::problem,
    proxy,
    public::Public,
    routes::{Routes, Target},
    visit::Visit,
};
use crate::{
    Terminal,
    body::{self, Body},
    listen::Answer,
};

/// All that answering takes.
#[derive(Debug)]
pub(super) struct App {
    pub(super) routes: Routes,
    pub(super) public: Public,
    pub(super) functions: Vec<Arc<Function>>,
    pub(super) builder: Builder,
    /// Believe the headers of a proxy before us.
    pub(super) trust_proxy: bool,
    pub(super) terminal: Terminal,
}

/// Numbers for `x-vercel-internal-request-id`.
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// Answers one request and prints its line.
pub(super) async fn answer(app: Arc<App>, peer: SocketAddr, request: Request<Incoming>) -> Answer {
    let mut visit = Visit::new(request.method(), request.uri().path(), app.terminal);
    let ids = Ids { invocation: ids::new_id(), number: REQUESTS.fetch_add(1, Ordering::Relaxed) };
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let response = match app.public.find(&path).await {
        Some(file) => {
            "file".clone_into(&mut visit.by);
            let mut response = file.response(request.method(), request.headers());
            edge::configure(response.headers_mut(), app.routes.headers(&path));
            response
        }
        None => match app.routes.route(&path, &query) {
            Target::Function { index, query } => {
                app.functions[index].name().clone_into(&mut visit.by);
                call(&app, &app.functions[index], peer, request, &query, &ids).await
            }
            Target::File(other) => rewritten(&app, &other, request.method(), request.headers(), &path, &ids).await,
            Target::Nothing => not_found(&app, &path, request.method(), &ids).await,
        },
    };
    Ok(visit.follow(response))
}

async fn call(
    app: &App,
    function: &Function,
    peer: SocketAddr,
    mut request: Request<Incoming>,
    query: &str,
    ids: &Ids,
) -> Response<Body> {
    if !app.builder.refresh().await {
        let detail = "The sources do not build. The terminal says why; save a correction and ask again.";
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "build_failed", detail, &ids.invocation);
    }
    let path = request.uri().path().to_owned();
    let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    let Ok(uri) = target.parse::<Uri>() else {
        return problem(StatusCode::BAD_REQUEST, "invalid_query", "The URL does not fit.", &ids.invocation);
    };
    let caller = address::of_caller(peer, request.headers(), app.trust_proxy);
    edge::inbound(request.headers_mut(), caller, ids);
    let mut response = proxy::pass(function, request, uri, ids).await;
    edge::outbound(response.headers_mut(), app.routes.headers(&path), ids);
    response
}

async fn rewritten(
    app: &App,
    file: &str,
    method: &Method,
    headers: &HeaderMap,
    path: &str,
    ids: &Ids,
) -> Response<Body> {
    match app.public.find(file).await {
        Some(file) => {
            let mut response = file.response(method, headers);
            edge::configure(response.headers_mut(), app.routes.headers(path));
            response
        }
        None => not_found(app, path, method, ids).await,
    }
}

/// Below `/api` a problem, elsewhere a page: `public/404.html` if there is one.
async fn not_found(app: &App, path: &str, method: &Method, ids: &Ids) -> Response<Body> {
    if path == "/api" || path.starts_with("/api/") {
        let detail = "There is no such route.";
        return problem(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail, &ids.invocation);
    }
    let mut response = match app.public.find("/404.html").await {
        Some(page) if method == Method::GET || method == Method::HEAD => page.response(method, &HeaderMap::new()),
        _ => {
            let mut response = Response::new(body::full("There is nothing here.\n"));
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, plain);
            response
        }
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    edge::configure(response.headers_mut(), app.routes.headers(path));
    response
}
