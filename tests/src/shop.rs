//! A deployment that sells: with users, and with the double of Stripe behind it.

use purser::{
    billing::Billing,
    cache::Cache as Redis,
    clock, ids,
    limit::Limiter,
    sqlite::Sqlite,
    store::Statement,
    stripe::{Offer, Stripe},
};
use serde_json::{Value, json};

use crate::{
    deployment::{Cache, Deployment},
    http::{Call, Reply},
    services,
    stripe::{Event, PRICE_PRO, PRICE_PRO_OLD, SECRET_KEY, StripeDouble, WEBHOOK_SECRET},
    token,
};

/// How long a subscription in arrears keeps its plan, as in plans.toml.
pub const GRACE_S: i64 = 7 * 86_400;

/// The deployment and its Stripe.
pub struct Shop {
    /// The deployment.
    pub deployment: Deployment,
    /// Its Stripe.
    pub stripe: StripeDouble,
    client: Stripe,
    limiter: Limiter,
    offer: Offer,
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct User {
    /// The account.
    pub id: String,
    /// A token that was made at sign-up, when the plan was free: it is never renewed.
    pub token: String,
}

impl Shop {
    /// A shop with a cache of one's choice; the store follows it.
    ///
    /// # Panics
    /// Where the services are not running.
    pub async fn open(cache: Cache) -> Self {
        let mut deployment = Deployment::with(cache).await;
        let stripe = StripeDouble::start().await;
        deployment.set("STRIPE_BASE_URL", stripe.url());
        deployment.set("STRIPE_SECRET_KEY", SECRET_KEY);
        deployment.set("STRIPE_WEBHOOK_SECRET", &format!("whsec_of_another_endpoint, {WEBHOOK_SECRET}"));
        deployment.set("STRIPE_PRICE_PRO", &format!("{PRICE_PRO},{PRICE_PRO_OLD}"));
        let limiter = match deployment.environment["DATABASE_URL"].strip_prefix("sqlite:") {
            Some(path) => Limiter::sqlite(Sqlite::open(path.as_ref()).unwrap()),
            None => Limiter::redis(Redis::tcp(&services::redis_url(), &deployment.prefix).unwrap()),
        };
        let offer = Offer { prices: vec![PRICE_PRO.to_owned(), PRICE_PRO_OLD.to_owned()], grace_s: GRACE_S };
        Self { client: stripe.client(), deployment, stripe, limiter, offer }
    }

    /// Billing as the cron job has it.
    pub fn billing(&self) -> Billing<'_> {
        Billing { store: &self.deployment.store, limiter: &self.limiter, stripe: &self.client, offer: &self.offer }
    }

    /// A new user on the free plan.
    ///
    /// # Panics
    /// Where the store does not answer.
    pub async fn user(&self) -> User {
        let id = ids::new_id();
        let sql = "insert into users (id, email, password, plan, created_ms, updated_ms) values ($1, $2, 'x', 'free', $3, $3)";
        let params = [id.as_str().into(), format!("{id}@example.com").into(), clock::now_ms().into()];
        self.deployment.store.rows(Statement::new(sql, params)).await.unwrap();
        User { token: token::mint(&id, "free"), id }
    }

    /// A user who has paid in Checkout, whose events have not been delivered. Gives the customer and the subscription.
    ///
    /// # Panics
    /// Where Checkout does not open.
    pub async fn buyer(&self) -> (User, String, String) {
        let user = self.user().await;
        let session = session_of(&self.checkout(&user).await);
        let subscription = self.stripe.world().pay(&session);
        let customer = self.stripe.world().sessions[&session]["customer"].as_str().unwrap().to_owned();
        (user, customer, subscription)
    }

    /// `POST /api/billing/checkout`.
    pub async fn checkout(&self, user: &User) -> Reply {
        self.deployment.call("POST", "/api/billing/checkout").bearer(&user.token).send().await
    }

    /// Delivers an event with a good signature.
    pub async fn deliver(&self, event: &Event) -> Reply {
        self.delivery(event, &self.stripe.signature(event)).send().await
    }

    /// A delivery with any signature.
    pub fn delivery(&self, event: &Event, signature: &str) -> Call {
        let call = self.deployment.call("POST", "/api/billing/webhook");
        call.header("stripe-signature", signature).header("content-type", "application/json").body(event.body.clone())
    }

    /// Delivers all events so far, in order.
    ///
    /// # Panics
    /// Where one is refused.
    pub async fn deliver_all(&self) {
        let events = self.stripe.world().take_events();
        for event in events {
            let reply = self.deliver(&event).await;
            assert_eq!(reply.status, 200, "{}: {}", event.kind, reply.text);
        }
    }

    /// The plan that the store names.
    ///
    /// # Panics
    /// Where there is no such user.
    pub async fn stored_plan(&self, user: &User) -> String {
        let sql = "select plan from users where id = $1";
        let rows = self.deployment.store.rows(Statement::new(sql, [user.id.as_str().into()])).await.unwrap();
        rows[0].text(0).unwrap()
    }

    /// The plan that a request with the old token gets. Reading it spends nothing.
    pub async fn plan_in_force(&self, user: &User) -> String {
        let usage = self.deployment.call("GET", "/api/usage").bearer(&user.token).send().await.json();
        usage["plan"].as_str().unwrap_or_default().to_owned()
    }

    /// Both, which must be one.
    ///
    /// # Panics
    /// Where they differ.
    pub async fn plan(&self, user: &User) -> String {
        let (stored, in_force) = (self.stored_plan(user).await, self.plan_in_force(user).await);
        assert_eq!(stored, in_force, "the store and the limiter disagree");
        stored
    }

    /// A column of the user's billing account.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn billing_row(&self, user: &User) -> Value {
        let sql =
            "select customer_id, status, ends_ms, check_ms, next_check_ms from billing_accounts where user_id = $1";
        let rows = self.deployment.store.rows(Statement::new(sql, [user.id.as_str().into()])).await.unwrap();
        let row = &rows[0];
        json!({
            "customer_id": row.text_opt(0).unwrap(), "status": row.text_opt(1).unwrap(),
            "ends_ms": row.int_opt(2).unwrap(), "check_ms": row.int_opt(3).unwrap(), "next_check_ms": row.int_opt(4).unwrap(),
        })
    }

    /// The ids of the events that have had their effect.
    ///
    /// # Panics
    /// Where the store does not answer.
    pub async fn taken_events(&self) -> Vec<String> {
        let rows = self.deployment.store.rows(Statement::new("select id from billing_events order by id", [])).await;
        rows.unwrap().iter().map(|row| row.text(0).unwrap()).collect()
    }

    /// Makes everybody due for a check, as if days had passed.
    ///
    /// # Panics
    /// Where the store does not answer.
    pub async fn make_all_due(&self) {
        let sql = "update billing_accounts set check_ms = 1 where check_ms is not null";
        self.deployment.store.rows(Statement::new(sql, [])).await.unwrap();
    }
}

/// The Checkout session that an answer leads to.
///
/// # Panics
/// Where it leads elsewhere.
pub fn session_of(reply: &Reply) -> String {
    let body = reply.json();
    assert_eq!((reply.status, body["kind"].as_str()), (200, Some("checkout")), "{}", reply.text);
    body["url"].as_str().unwrap().strip_prefix("https://checkout.stripe.com/c/pay/").unwrap().to_owned()
}
