//! The platform: bodies within a cap, panics as problems, request ids, timings, one log line a request, and work
//! that outlives the answer. Only `vercel.rs` knows `vercel_runtime`, only `lambda.rs` knows `lambda_http`.

#[cfg(feature = "lambda")]
mod lambda;
#[cfg(not(feature = "lambda"))]
mod nodelay;
mod panics;
#[cfg(not(feature = "lambda"))]
mod vercel;

use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, process::ExitCode, sync::OnceLock};

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::{
    Code, Error,
    config::{Config, ConfigError},
    ctx::{Ctx, RequestState},
    http::{HeaderName, HeaderValue, Method, Request, Response, Wire, cors, cors::Origin, header, problem},
    observe::Level,
};

/// What a handler returns.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// One function: its methods, limits and handler.
pub struct Route {
    /// The binary's name, as in logs.
    pub name: &'static str,
    /// Methods it takes; others are answered 405 with `Allow`.
    pub methods: &'static [Method],
    /// The largest body it takes.
    pub body_cap_bytes: usize,
    /// The shape of its errors.
    pub wire: Wire,
    /// Checks and begins to open what the route uses, while the first request is on its way.
    pub start: fn(&'static Config) -> Result<(), ConfigError>,
    /// The handler. Boxed, so that HTTP is compiled once and not per route.
    pub handle: fn(Ctx, Request) -> Answer,
}

/// What the platform does for a request.
pub(crate) trait Platform: Send + Sync {
    /// Runs work that outlives the answer; the platform keeps the process until it is done.
    fn after(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>);
    /// Writes a log line.
    fn log(&self, level: Level, line: &str);
}

/// Runs a function until the platform stops it.
pub fn run(route: Route) -> ExitCode {
    match start(route) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // There is no request yet, so no log context: the platform shows what is on stderr.
            let _ = writeln!(std::io::stderr(), "purser does not start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(route: Route) -> Result<(), ConfigError> {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let config = Config::from_env()?;
    let config = CONFIG.get_or_init(|| config);
    let route: &'static Route = Box::leak(Box::new(route));
    panics::watch();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ConfigError::other(format!("no async runtime: {error}")))?;
    let served = runtime.block_on(async {
        (route.start)(config)?;
        #[cfg(not(feature = "lambda"))]
        let served = vercel::serve(route, config).await;
        #[cfg(feature = "lambda")]
        let served = lambda::serve(route, config).await;
        served.map_err(|error| ConfigError::other(error.to_string()))
    });
    // A connection that is still being opened in the background must not hold the exit.
    runtime.shutdown_background();
    served
}

/// Answers one request. `body` is the body, or why it was not taken.
async fn answer(
    route: &'static Route,
    config: &'static Config,
    platform: Box<dyn Platform>,
    head: http::request::Parts,
    body: Result<Bytes, Error>,
) -> Response {
    let state = RequestState::new(route.name, route.wire, &head.method, platform);
    let ctx = Ctx::new(state.clone(), config);
    // Work that begins with the request and ends with the body: it keeps the process until the last byte has left, on
    // every platform. A process that is told to stop while it asks for room must not leave before it has used it.
    let (ended, over) = tokio::sync::oneshot::channel::<()>();
    ctx.after(async move {
        let _ = over.await;
    });
    let origin = Origin::check(&head.headers, &config.edge.allowed_origins);
    let result = match (&origin, body) {
        (None, _) => Err(cors::foreign_origin()),
        (Some(origin), _) if head.method == Method::OPTIONS => Ok(origin.preflight(&head.headers, allow(route))),
        (Some(_), _) if !route.methods.contains(&head.method) => Err(method_not_allowed(route)),
        (Some(_), Err(error)) => Err(error),
        (Some(_), Ok(body)) => handle(route, ctx.clone(), http::Request::from_parts(head, body)).await,
    };
    let mut response = match result {
        Ok(response) => response,
        Err(error) => refuse(route, &state, &error),
    };
    let headers = response.headers_mut();
    if let Some(origin) = &origin {
        origin.decorate(headers);
    }
    ctx.decorate(headers);
    ctx.tell_alarms();
    state.answered(response.status());
    response.body_mut().on_end(move |sent_bytes| {
        state.record.set("sent_bytes", sent_bytes);
        drop(ended);
    });
    response
}

/// Runs the handler; a panic becomes a 500 like any other fault of ours.
async fn handle(route: &'static Route, ctx: Ctx, request: Request) -> Result<Response, Error> {
    match AssertUnwindSafe(async move { (route.handle)(ctx, request).await }).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(Error::internal(format!("panic at {}", panics::place()))),
    }
}

fn refuse(route: &Route, state: &RequestState, error: &Error) -> Response {
    state.failed(error);
    let mut response = problem::response(error, route.wire, &state.request_id);
    if let (Wire::Anthropic, Ok(id)) = (route.wire, HeaderValue::from_str(&state.request_id)) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), id);
    }
    if error.code() == Code::MethodNotAllowed {
        response.headers_mut().insert(header::ALLOW, allow(route));
    }
    response
}

fn method_not_allowed(route: &Route) -> Error {
    let methods: Vec<_> = route.methods.iter().map(Method::as_str).collect();
    Error::new(Code::MethodNotAllowed, format!("This route takes {}.", methods.join(", ")))
}

fn allow(route: &Route) -> HeaderValue {
    let mut methods: Vec<_> = route.methods.iter().map(Method::as_str).collect();
    methods.push("OPTIONS");
    HeaderValue::from_str(&methods.join(", ")).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
}

/// The refusal of a path that a function is sent but does not serve.
pub fn not_found() -> Error {
    Error::new(Code::NotFound, "There is nothing at this path.")
}

/// The refusal of a body that is larger than the route takes.
fn body_too_large(cap_bytes: usize) -> Error {
    Error::new(Code::BodyTooLarge, format!("The body may have at most {cap_bytes} bytes."))
}
