//! What is the case at Stripe, and the events that tell of it.

use std::collections::BTreeMap;

use purser::clock;
use serde_json::{Value, json};

use super::objects;

const VERSION: &str = "2026-10-28.endive";
const OLD_VERSION: &str = "2020-08-27";

/// All objects, by id. Ids are in the order of making.
#[derive(Debug, Default)]
pub struct World {
    /// Customers.
    pub customers: BTreeMap<String, Value>,
    /// Checkout sessions.
    pub sessions: BTreeMap<String, Value>,
    /// Subscriptions.
    pub subscriptions: BTreeMap<String, Value>,
    /// Invoices.
    pub invoices: BTreeMap<String, Value>,
    /// Events, in the order in which things happened.
    pub events: Vec<Event>,
    /// Whether the webhook endpoint was made years ago, with the API version of that time.
    pub is_endpoint_old: bool,
    made: u64,
}

/// An event, as every delivery of it carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The raw body.
    pub body: Vec<u8>,
}

impl World {
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{:08}", self.made)
    }

    /// Adds a customer, as the dashboard does.
    pub fn add_customer(&mut self, email: Option<&str>, metadata: Value) -> Value {
        let id = self.next_id("cus");
        let customer = objects::customer(&id, email, metadata, now_s());
        self.customers.insert(id, customer.clone());
        self.tell("customer.created", &customer);
        customer
    }

    /// Deletes a customer and ends all subscriptions at once.
    ///
    /// # Panics
    /// Where there is none.
    pub fn delete_customer(&mut self, id: &str) -> Value {
        for subscription in self.subscriptions_of(id) {
            self.set_status(&subscription, "canceled");
        }
        let customer = self.customers.get_mut(id).unwrap();
        let before = std::mem::replace(customer, json!({ "id": id, "object": "customer", "deleted": true }));
        self.tell("customer.deleted", &before);
        self.customers[id].clone()
    }

    pub(super) fn add_session(&mut self, session: Value) -> Value {
        self.sessions.insert(session["id"].as_str().unwrap().to_owned(), session.clone());
        session
    }

    /// Time passes, or somebody closes the session.
    ///
    /// # Panics
    /// Where there is no such session.
    pub fn expire_session(&mut self, id: &str) -> Value {
        let session = self.sessions.get_mut(id).unwrap();
        session["status"] = json!("expired");
        session["url"] = Value::Null;
        let session = session.clone();
        self.tell("checkout.session.expired", &session);
        session
    }

    /// The customer pays in Checkout. Gives the subscription.
    ///
    /// # Panics
    /// Where the session is not open.
    pub fn pay(&mut self, session_id: &str) -> String {
        let session = self.sessions[session_id].clone();
        assert_eq!(session["status"], "open", "nobody can pay there");
        let (customer, price) = (session["customer"].as_str().unwrap(), session["double_price"].as_str().unwrap());
        let id = self.subscribe(customer, price, "active");
        self.subscriptions.get_mut(&id).unwrap()["metadata"] = session["double_subscription_metadata"].clone();
        let session = self.sessions.get_mut(session_id).unwrap();
        session["status"] = json!("complete");
        session["payment_status"] = json!("paid");
        session["url"] = Value::Null;
        session["subscription"] = json!(id);
        let session = session.clone();
        self.tell("checkout.session.completed", &session);
        id
    }

    /// A subscription begins, from Checkout or by hand. Gives its id.
    pub fn subscribe(&mut self, customer: &str, price: &str, status: &str) -> String {
        let id = self.next_id("sub");
        let subscription = objects::subscription(&id, customer, price, status, now_s());
        self.subscriptions.insert(id.clone(), subscription.clone());
        self.tell("customer.subscription.created", &subscription);
        if status == "active" {
            self.invoice(&id, "paid", now_s());
        }
        id
    }

    /// A renewal fails: an invoice stays open, and the subscription is past due.
    pub fn fail_payment(&mut self, subscription: &str, invoice_created_s: i64) {
        self.invoice(subscription, "open", invoice_created_s);
        self.set_status(subscription, "past_due");
    }

    /// The open invoices are paid after all.
    pub fn recover(&mut self, subscription: &str) {
        let parent = |one: &Value| one["parent"]["subscription_details"]["subscription"] == subscription;
        let open: Vec<_> =
            self.invoices.values().filter(|one| parent(one) && one["status"] == "open").cloned().collect();
        for mut invoice in open {
            invoice["status"] = json!("paid");
            self.invoices.insert(invoice["id"].as_str().unwrap().to_owned(), invoice.clone());
            self.tell("invoice.paid", &invoice);
        }
        self.set_status(subscription, "active");
    }

    /// Gives a subscription another status.
    pub fn set_status(&mut self, subscription: &str, status: &str) {
        let kind = match status {
            "canceled" => "customer.subscription.deleted",
            "paused" => "customer.subscription.paused",
            _ => "customer.subscription.updated",
        };
        self.change(subscription, kind, |one| one["status"] = json!(status));
    }

    /// Changes a subscription and tells of it.
    ///
    /// # Panics
    /// Where there is none.
    pub fn change(&mut self, subscription: &str, kind: &str, change: impl FnOnce(&mut Value)) {
        let one = self.subscriptions.get_mut(subscription).unwrap();
        change(one);
        let one = one.clone();
        self.tell(kind, &one);
    }

    /// The subscriptions of a customer, the ended ones too.
    pub fn subscriptions_of(&self, customer: &str) -> Vec<String> {
        let of = |one: &&Value| one["customer"] == customer;
        self.subscriptions.values().filter(of).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes the events so far: what a test does not deliver is lost.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// An event of any type about any object.
    pub fn tell(&mut self, kind: &str, object: &Value) {
        let id = self.next_id("evt");
        let (version, object) = match self.is_endpoint_old {
            true => (OLD_VERSION, objects::in_old_shape(object)),
            false => (VERSION, object.clone()),
        };
        let body = objects::event(&id, kind, &object, version, now_s());
        // As Stripe writes it: indented, so that whoever signs parsed and rewritten JSON fails.
        let body = serde_json::to_vec_pretty(&body).unwrap();
        self.events.push(Event { id, kind: kind.to_owned(), body });
    }

    fn invoice(&mut self, subscription: &str, status: &str, created_s: i64) {
        let id = self.next_id("in");
        let customer = self.subscriptions[subscription]["customer"].as_str().unwrap().to_owned();
        let invoice = objects::invoice(&id, &customer, subscription, status, created_s);
        self.invoices.insert(id, invoice.clone());
        self.tell(if status == "paid" { "invoice.paid" } else { "invoice.payment_failed" }, &invoice);
    }
}

fn now_s() -> i64 {
    clock::now_ms() / 1_000
}
