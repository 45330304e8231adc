//! A double of Stripe: customers, Checkout and portal sessions, subscriptions, invoices, idempotency keys, and events
//! that a test signs and delivers as it likes: twice, late, in another order, never.
//!
//! Written after docs.stripe.com/api and the official SDK (`stripe` 23.1.0, 2026-10-29), and as strict: a parameter that
//! the API has not is refused.

mod api;
mod keys;
mod objects;
mod server;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use purser::{clock, config::Secret, stripe};
use serde_json::Value;
use tokio::task::JoinHandle;

pub use self::{server::Fault, world::Event};
use self::{server::State, world::World};

/// The key that the double wants.
pub const SECRET_KEY: &str = "sk_test_double";
/// What it signs events with.
pub const WEBHOOK_SECRET: &str = "whsec_double";
/// The price of the pro plan.
pub const PRICE_PRO: &str = "price_pro";
/// A price that is sold no more, and still counts.
pub const PRICE_PRO_OLD: &str = "price_pro_old";
/// A price of something else.
pub const PRICE_OTHER: &str = "price_other";

/// The double; stops when it is dropped.
#[derive(Debug)]
pub struct StripeDouble {
    url: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Such as `POST /v1/customers`.
    pub what: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The API version that it named.
    pub version: String,
}

impl StripeDouble {
    /// Starts on a free port of this machine.
    ///
    /// # Panics
    /// Where none is free.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        #[expect(clippy::disallowed_methods, reason = "a server of the tests")]
        let server = tokio::spawn(server::serve(listener, state.clone()));
        Self { url, state, server }
    }

    /// Where it listens, as in `STRIPE_BASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    pub fn client(&self) -> stripe::Stripe {
        stripe::Stripe::new(&self.url, Secret::new(SECRET_KEY))
    }

    /// What is to happen to the next requests, one fault each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state.faults).extend(faults);
    }

    /// Waits until so many answers are held.
    ///
    /// # Panics
    /// Where the double is gone.
    pub async fn wait_for_held(&self, number: u32) {
        self.state.held.subscribe().wait_for(|held| *held >= number).await.unwrap();
    }

    /// Lets go of held answers, from now on.
    pub fn release(&self) {
        self.state.is_released.send_replace(true);
    }

    /// While it is down, every connection is cut before anything is done.
    pub fn set_down(&self, is_down: bool) {
        *lock(&self.state.is_down) = is_down;
    }

    /// The requests so far, those that were cut included.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }

    /// How many requests of a kind there were, such as `POST /v1/customers`.
    pub fn count(&self, what: &str) -> usize {
        self.seen().iter().filter(|seen| seen.what == what).count()
    }

    /// The control: what customers, their banks and the owner's dashboard do.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.state.world)
    }

    /// The header of a delivery that is made now.
    pub fn signature(&self, event: &Event) -> String {
        stripe::sign(&event.body, &Secret::new(WEBHOOK_SECRET), clock::now_ms() / 1_000)
    }
}

impl Drop for StripeDouble {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer before it is written out.
type Answer = Result<Value, api::Refusal>;
