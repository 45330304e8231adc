//! What a handler is given. Handles are lazy: a route links and opens only what it names.
//!
//! What combines two modules is a method here, one file per part of a Claude call.

mod admin;
mod alert;
mod billing;
mod cleanup;
mod client_wire;
mod closing;
mod count_tokens;
mod degraded;
mod elastic;
mod growth;
mod handles;
mod limit_headers;
mod offer;
mod pace;
mod policies;
mod prepare;
mod recording;
mod refusal;
mod request_state;
mod resume;
mod turn;
mod unanswered;

mod accounts;
pub mod admission;
pub mod call;
pub mod identify;
mod plan_in_force;
pub mod price;
mod relay;
pub mod settle;

pub use billing::{buyer, page_origin};
pub use client_wire::ClientWire;
pub use handles::{books, start_nothing, start_store, start_store_and_limiter};
pub use offer::ModelPage;
pub use prepare::messages_call;
pub(crate) use request_state::RequestState;

use std::{future::Future, sync::Arc, time::Instant};

use crate::{
    config::Config,
    http::HeaderMap,
    observe::{Level, alarms, reports},
};

/// A request's context. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    state: Arc<RequestState>,
    config: &'static Config,
}

impl Ctx {
    pub(crate) fn new(state: Arc<RequestState>, config: &'static Config) -> Self {
        Self { state, config }
    }

    /// The configuration.
    pub fn config(&self) -> &'static Config {
        self.config
    }

    /// This request's id, as in `x-request-id` and the log.
    pub fn request_id(&self) -> &str {
        &self.state.request_id
    }

    fn wire(&self) -> crate::http::Wire {
        self.state.wire
    }

    /// Runs work that outlives the client: the platform keeps the process until it is done.
    pub fn after(&self, work: impl Future<Output = ()> + Send + 'static) {
        let state = self.state.clone();
        self.state.platform.after(Box::pin(async move {
            work.await;
            drop(state);
        }));
    }

    /// Measures a step for `Server-Timing` and the log.
    pub async fn time<T>(&self, step: &'static str, work: impl Future<Output = T>) -> T {
        let from = Instant::now();
        let done = work.await;
        self.state.timings.add(step, from.elapsed());
        done
    }

    /// Adds a field to the request's log line: figures, ids and codes only.
    pub fn note(&self, name: &'static str, value: impl Into<serde_json::Value>) {
        self.state.record.set(name, value);
    }

    /// Says in the log that something failed which the answer does not tell.
    pub fn warn(&self, name: &'static str, error: &crate::Error) {
        self.state.record.set(name, error.to_string());
        self.state.loud();
    }

    /// Logs what the process has to say besides this request, and does what that asks for.
    pub(crate) fn tell_alarms(&self) {
        for alarm in alarms::take() {
            self.state.platform.log(Level::Error, &alarm.line.to_string());
            let report = alarm.line.as_object().and_then(reports::report);
            for work in [alarm.work, report].into_iter().flatten() {
                self.after(work);
            }
        }
    }

    /// The headers that every answer carries.
    pub(crate) fn decorate(&self, headers: &mut HeaderMap) {
        self.state.decorate(headers);
    }
}
