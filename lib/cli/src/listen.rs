//! Accepting HTTP/1.1 connections: without Nagle's delay, one task each.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::watch};

use crate::{background, body::Body};

/// What a handler gives back: an answer, or nothing, which closes the connection without a word.
pub(crate) type Answer = Result<Response<Body>, Hangup>;

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Hangup {}

impl From<Infallible> for Hangup {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Serves connections until `stop` turns true; open connections then finish the answer they are at.
pub(crate) async fn accept<S, H, F>(listener: TcpListener, state: Arc<S>, handler: H, mut stop: watch::Receiver<bool>)
where
    S: Send + Sync + 'static,
    H: Fn(Arc<S>, SocketAddr, Request<Incoming>) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        // Out of descriptors, or the peer is gone already: neither ends the server.
        let Ok((stream, peer)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (state, mut stop) = (state.clone(), stop.clone());
        background::start(async move {
            let service = service_fn(move |request| handler(state.clone(), peer, request));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
}
