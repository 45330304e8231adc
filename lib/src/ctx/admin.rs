//! The owner of the deployment.

use std::time::Instant;

use ring::hmac;
use serde_json::{Value, json};

use super::Ctx;
use crate::{
    Code, Error, books, clock, env,
    http::{Request, headers::bearer},
    store::Statement,
};

/// How far back cron compares: what is older was compared before.
const RECKONED_MS: i64 = 2 * 86_400_000;

impl Ctx {
    /// Lets only the holder of a secret pass that the deployment's owner has set; compared in constant time.
    ///
    /// # Errors
    /// `forbidden`, also where the deployment has no such secret.
    pub fn require_secret(&self, request: &Request, secret: &env::Var) -> Result<(), Error> {
        let refused = || Error::new(Code::Forbidden, format!("This needs `Authorization: Bearer {}`.", secret.name));
        let wanted = env::get(secret).ok_or_else(refused)?;
        let given = bearer(request.headers())?.ok_or_else(refused)?;
        // Equal tags under one key mean equal texts, and comparing tags tells nothing about either.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let tag = hmac::sign(&key, wanted.as_bytes());
        hmac::verify(&key, given.as_bytes(), tag.as_ref()).map_err(|_| refused())
    }

    /// Brings in what waits, settles calls whose process died, compares the copies with the ledger, and puts right what
    /// differs. Safe at any time, and in several places at once.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`, `internal`; what was done stays done.
    pub async fn reconcile(&self) -> Result<Value, Error> {
        self.knock_at_limiter().await;
        let books = self.books().await?;
        let drained = books.drain_outbox().await?;
        let now_ms = books.limiter.now_ms().await.map_err(books::unavailable)?;
        clock::learn_shared(now_ms);
        let swept = books.sweep_ledger(now_ms).await?;
        let found = books.reckon(now_ms.saturating_sub(RECKONED_MS), true).await?;
        if !found.differences.is_empty() {
            self.warn("differences", &Error::internal(json!(found.differences)));
        }
        Ok(json!({
            "drained": drained,
            "settled_at_ceiling": swept.settled_at_ceiling,
            "booked": swept.booked,
            "compared": found.compared,
            "differences": found.differences,
            "in_motion": found.in_motion,
        }))
    }

    /// Asks the store and the limiter, each once: whether they answer and how fast. `Err` holds the same figures
    /// where one of them does not.
    ///
    /// # Errors
    /// The figures, where something does not answer.
    pub async fn deep_check(&self) -> Result<Value, Value> {
        let store = timed(async {
            self.store().await?.rows(Statement::new("select 'alive'", [])).await.map(drop).map_err(Error::from)
        })
        .await;
        self.knock_at_limiter().await;
        // A look at nothing reads the epoch, spends nothing and writes nothing.
        let limiter = timed(async { self.limiter()?.peek(&[]).await.map(drop).map_err(books::unavailable) }).await;
        let is_well = store["ok"] == true && limiter["ok"] == true;
        let figures = json!({ "store": store, "limiter": limiter, "stage": self.stage() });
        if is_well { Ok(figures) } else { Err(figures) }
    }
}

async fn timed(work: impl Future<Output = Result<(), Error>>) -> Value {
    let from = Instant::now();
    let done = work.await;
    let took_us = u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX);
    match done {
        Ok(()) => json!({ "ok": true, "took_us": took_us }),
        Err(error) => json!({ "ok": false, "took_us": took_us, "code": error.code().as_str() }),
    }
}
