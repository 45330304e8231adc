//! Vercel's runtime. Facts about it are from `vercel_runtime` 2.4.1, read in source and tried.

use std::{future::Future, pin::Pin};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use vercel_runtime::{AppState, ResponseBody, service_fn};

use super::{Platform, Route, answer, body_too_large, nodelay};
use crate::{Error, config::Config, observe::Level};

/// How much of a refused body is read and thrown away, so that the refusal reaches the client: a body left unread
/// breaks the connection. The platform itself takes at most 4.5 MB.
const DRAIN_CAP_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn serve(route: &'static Route, config: &'static Config) -> Result<(), vercel_runtime::Error> {
    // Its turn comes when `run` first waits for a connection, that is, once the listener is there.
    #[expect(clippy::disallowed_methods, reason = "belongs to the process, not to a request")]
    tokio::spawn(nodelay::set_on_listener());
    vercel_runtime::run(service_fn(move |request: vercel_runtime::Request, state: AppState| async move {
        nodelay::set_on_early_connections();
        let (head, body) = request.into_parts();
        let body = read(body, route.body_cap_bytes).await;
        let response = answer(route, config, Box::new(Vercel(state)), head, body).await;
        Ok::<_, vercel_runtime::Error>(response.map(|body| ResponseBody(body.boxed())))
    }))
    .await
}

/// Reads a body whole, up to the cap; what is above it is drained.
async fn read(
    body: impl http_body::Body<Data = Bytes, Error: std::fmt::Display>,
    cap_bytes: usize,
) -> Result<Bytes, Error> {
    let mut body = std::pin::pin!(body);
    let mut whole = BytesMut::new();
    let mut seen_bytes = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Error::new(crate::Code::InvalidBody, "The body did not arrive whole.").log(error))?;
        let Ok(data) = frame.into_data() else { continue };
        seen_bytes = seen_bytes.saturating_add(data.len());
        if seen_bytes <= cap_bytes {
            whole.extend_from_slice(&data);
        } else if seen_bytes > DRAIN_CAP_BYTES {
            break;
        } else {
            whole = BytesMut::new();
        }
    }
    if seen_bytes > cap_bytes { Err(body_too_large(cap_bytes)) } else { Ok(whole.freeze()) }
}

struct Vercel(AppState);

impl Platform for Vercel {
    fn after(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.wait_until(work);
    }

    fn log(&self, level: Level, line: &str) {
        match level {
            Level::Info => self.0.log_context.info(line),
            Level::Warn => self.0.log_context.warn(line),
            Level::Error => self.0.log_context.error(line),
        }
    }
}
