//! A Claude that costs nothing: it speaks the Messages API's real wire, says in every reply that it is a stand-in,
//! misbehaves on request, and keeps an exact bill that a ledger can be compared with.
//!
//! Source of the wire: Messages API as in `@anthropic-ai/sdk` 1.12.0 (2026-11-20) and platform.claude.com.
//!
//! **Tokens** are counted by a rule of its own: four bytes a token, each part rounded up ([`tokens`]). A part is a tool
//! definition, a system block or a content block, as compact JSON without its `cache_control`; a plain string counts
//! as the text block that it stands for. Output counts the bytes of text, thinking and tool input.
//!
//! **Prompt caching** works within the process: a prefix that a `cache_control` mark ended before is read, what lies
//! between it and the last mark is written, for five minutes or an hour. There is no minimum length.
//!
//! **Directives** in the last user message, `[[standin: error=overloaded_error status=529]]`, or queued with
//! [`Standin::next`], make it misbehave; [`directive`] lists them. One that it does not know is a 400.

mod bill;
mod blocks;
mod control;
pub mod directive;
mod events;
mod figures;
mod gates;
mod models;
mod play;
mod prompt;
mod prompt_cache;
mod refusal;
mod reply;
mod request;
mod seen;
mod server;
mod validate;

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

pub use bill::{BilledCall, CallState};
pub use prompt::tokens;
pub use seen::SeenRequest;

use crate::listen;

/// How to start it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The only key that it accepts; without one, any key is good.
    pub key: Option<String>,
}

/// A running stand-in, on a thread and a runtime of its own, so that any test can use it. Dropping it stops it.
#[derive(Debug)]
pub struct Standin {
    address: SocketAddr,
    state: Arc<server::State>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Standin {
    /// Starts it; it takes requests when this returns.
    ///
    /// # Errors
    /// When the port is taken or the thread cannot be started.
    pub fn start(options: Options) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(server::State::new(options.key));
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = state.clone();
        let thread = std::thread::Builder::new().name("claude-standin".to_owned()).spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    listen::accept(listener, shared, server::answer, stopped).await;
                }
            });
        })?;
        Ok(Self { address, state, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What belongs into `CLAUDE_BASE_URL`: no path, no slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bill: every accepted call so far, in order of acceptance.
    pub fn calls(&self) -> Vec<BilledCall> {
        self.state.bill.calls()
    }

    /// The latest requests to `/v1/…`, oldest first; 256 are kept.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.state.seen.requests()
    }

    /// Queues directives for a coming `POST /v1/messages`, first in, first out; an empty text lets one pass as it is.
    pub fn next(&self, directives: &str) {
        self.state.queue(directives);
    }

    /// Lets everything pass that waits, or will wait, at the gate.
    pub fn open_gate(&self, name: &str) {
        self.state.gates.open(name);
    }

    /// Resolves once a call has come to the gate.
    pub async fn gate_reached(&self, name: &str) {
        self.state.gates.reached(name).await;
    }

    /// Resolves once the bill holds `count` calls and all of them are over.
    pub async fn settled(&self, count: usize) -> Vec<BilledCall> {
        self.state.bill.settled(count).await
    }

    /// Forgets the bill, the requests, the queue, the gates and the prompt cache.
    pub fn forget(&self) {
        self.state.forget();
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
