//! One customer: read, written down, in force.

use super::Billing;
use crate::{
    Error,
    auth::{Caller, Credential},
    clock,
    config::plans::PlanId,
    store::{BillingReading, PlanInForce, TakenEvent, Ticket},
    stripe::{Entitlement, Event},
};

/// How often a plan is told to the limiter again because another one was written meanwhile. Every round needs a change
/// of its own, so that more than two are rare.
const ANNOUNCE_ROUNDS: usize = 8;

/// What a reading found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Synced {
    pub(super) entitlement: Entitlement,
    pub(super) is_customer_gone: bool,
    /// The plan in force; of a later reading, where there was one. `None`: the user has gone.
    pub(super) in_force: Option<PlanInForce>,
}

impl Billing<'_> {
    /// Reads the customer at Stripe, writes what it found, with the event in one transaction, and makes the plan hold.
    pub(super) async fn sync(
        &self,
        ticket: &Ticket,
        customer_id: &str,
        event: Option<&Event>,
    ) -> Result<Synced, Error> {
        let found = self.stripe.subscriptions(customer_id).await?;
        let is_customer_gone = found.is_none();
        let read_ms = clock::now_ms();
        let entitlement = self.offer.entitlement(&found.unwrap_or_default(), read_ms.div_euclid(1_000));
        let ms = |time_s: i64| time_s.saturating_mul(1_000);
        let in_force = self
            .store
            .apply_reading(&BillingReading {
                ticket,
                customer_id,
                is_customer_gone,
                plan: entitlement.plan.as_str(),
                subscription_id: entitlement.subscription_id.as_deref(),
                status: entitlement.status.map(|status| status.as_str()),
                ends_ms: entitlement.ends_s.map(ms),
                check_ms: entitlement.check_s.map(ms),
                event: event.map(|event| TakenEvent {
                    id: &event.id,
                    kind: &event.kind,
                    created_ms: ms(event.created_s),
                }),
                read_ms,
            })
            .await?;
        if let Some(in_force) = &in_force {
            self.announce_plan(&ticket.user_id, in_force).await?;
        }
        Ok(Synced { entitlement, is_customer_gone, in_force })
    }

    /// Makes a plan hold from the next request on, whatever token it comes with.
    ///
    /// Two readings may write in one order and arrive at the limiter in the other. So whoever has told the limiter
    /// looks whether the store has moved on meanwhile, and tells it again: the last to tell is never outdated.
    pub(super) async fn announce_plan(&self, user_id: &str, in_force: &PlanInForce) -> Result<(), Error> {
        let mut told = in_force.clone();
        for _ in 0..ANNOUNCE_ROUNDS {
            let plan = PlanId::parse(&told.plan).ok_or_else(|| Error::internal("the store holds an unknown plan"))?;
            let subject = Caller::user(user_id, plan, Credential::None).id;
            self.limiter.set_plan(subject.as_str(), plan.as_str()).await?;
            match self.store.plan_announced(user_id, &told).await? {
                Some(now) if now.plan != told.plan => told = now,
                _ => return Ok(()),
            }
        }
        Err(Error::internal("a plan changed too often to be told to the limiter"))
    }
}

#[cfg(all(test, sqlite))]
mod tests {
    use super::*;
    use crate::{
        config::Secret,
        ids,
        limit::{Identity, Limiter, Reading},
        sqlite::Sqlite,
        store::{Statement, Store},
        stripe::{Offer, Stripe},
    };

    #[tokio::test]
    async fn whoever_tells_the_limiter_of_an_outdated_plan_corrects_it() {
        let folder = std::env::temp_dir().join(ids::new_id());
        let store = Store::sqlite(Sqlite::open(&folder.join("x.sqlite")).unwrap());
        store.migrate().await.unwrap();
        let sql = "insert into users (id, email, password, plan, created_ms, updated_ms) \
                   values ('ann', 'ann@example.com', 'x', 'pro', 1, 1)";
        store.rows(Statement::new(sql, [])).await.unwrap();
        store.billing_account("ann").await.unwrap();
        let (limiter, stripe) = (Limiter::memory(9), Stripe::new("http://127.0.0.1:9", Secret::new("sk_x")));
        let offer = Offer { prices: Vec::new(), grace_s: 0 };
        let billing = Billing { store: &store, limiter: &limiter, stripe: &stripe, offer: &offer };
        // Another reading wrote `pro` and told the limiter before this one, which had written `free` earlier, came to it.
        let outdated = PlanInForce { plan: "free".to_owned(), applied: -1 };
        billing.announce_plan("ann", &outdated).await.unwrap();
        let identity = Identity { subject: "user:ann", session: None, plan: "free", issued_ms: 1 };
        let seen = limiter.look(Some(identity), &[]).await.unwrap();
        assert_eq!(seen, Reading::PlanChanged { plan: "pro".to_owned() });
        std::fs::remove_dir_all(folder).unwrap();
    }
}
