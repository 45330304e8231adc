//! The owner of the deployment.

use std::time::Instant;

use ring::hmac;
use serde_json::{Value, json};

use super::Ctx;
use crate::{
    Code, Error,
    auth::{Caller, Credential},
    config::plans::PlanId,
    env,
    http::{Request, headers::bearer},
    store::Statement,
};

impl Ctx {
    /// Lets only the holder of `ADMIN_SECRET` pass; compared in constant time.
    ///
    /// # Errors
    /// `forbidden`, also where the deployment has no such secret.
    pub fn require_admin(&self, request: &Request) -> Result<(), Error> {
        let refused = || Error::new(Code::Forbidden, "This needs `Authorization: Bearer ADMIN_SECRET`.");
        let secret = env::get(&env::ADMIN_SECRET).ok_or_else(refused)?;
        let given = bearer(request.headers())?.ok_or_else(refused)?;
        // Equal tags under one key mean equal texts, and comparing tags tells nothing about either.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"admin");
        let tag = hmac::sign(&key, secret.as_bytes());
        hmac::verify(&key, given.as_bytes(), tag.as_ref()).map_err(|_| refused())
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
        // Reading the limits of a caller who does not exist spends nothing and writes nothing.
        let nobody = Caller::user("", PlanId::Free, Credential::None);
        let limiter = timed(async { self.standings(&nobody).await.map(drop) }).await;
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
