//! The API's routes.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::{Answer, PRICE_OTHER, PRICE_PRO, PRICE_PRO_OLD, objects, world::World};

/// An error answer.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, kind: &'static str, code: Option<&'static str>, param: Option<&str>) -> Self {
        Self { status, kind, code, param: param.map(str::to_owned) }
    }

    fn invalid(code: &'static str, param: &str) -> Self {
        Self::new(400, "invalid_request_error", Some(code), Some(param))
    }

    fn missing(param: &str) -> Self {
        // An object that the path names is a 404, one that a parameter names a 400.
        let status = if param == "id" { 404 } else { 400 };
        Self::new(status, "invalid_request_error", Some("resource_missing"), Some(param))
    }
}

impl From<&Refusal> for Value {
    fn from(refusal: &Refusal) -> Self {
        json!({ "error": {
            "type": refusal.kind, "code": refusal.code, "param": refusal.param,
            "message": format!("The double refuses {:?}: somebody@example.com", refusal.param),
        } })
    }
}

/// The pairs of a form or query; whoever takes one removes it, and none may be left.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let mut all = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            if all.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::invalid("parameter_invalid", &name));
            }
        }
        Ok(Self(all))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn need(&mut self, name: &str) -> Result<String, Refusal> {
        self.take(name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::invalid("parameter_missing", name))
    }

    fn metadata(&mut self, prefix: &str) -> Value {
        let names: Vec<_> = self.0.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        let pairs = names.into_iter().filter_map(|name| {
            let inner = name.strip_prefix(prefix)?.trim_matches(['[', ']']).to_owned();
            Some((inner, Value::from(self.0.remove(&name)?)))
        });
        Value::Object(pairs.collect())
    }

    fn end(&self) -> Result<(), Refusal> {
        self.0.keys().next().map_or(Ok(()), |name| Err(Refusal::invalid("parameter_unknown", name)))
    }
}

pub(super) fn answer(world: &mut World, method: &Method, path: &str, params: &mut Params) -> Answer {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["v1", "customers"]) => {
            let (email, metadata) = (params.take("email"), params.metadata("metadata"));
            params.end()?;
            if email.as_ref().is_some_and(|email| !email.contains('@')) {
                return Err(Refusal::invalid("email_invalid", "email"));
            }
            Ok(world.add_customer(email.as_deref(), metadata))
        }
        ("GET", ["v1", "customers", id]) => {
            params.end()?;
            world.customers.get(*id).cloned().ok_or_else(|| Refusal::missing("id"))
        }
        ("DELETE", ["v1", "customers", id]) => match existing_customer(world, id) {
            true => Ok(world.delete_customer(id)),
            false => Err(Refusal::missing("id")),
        },
        ("POST", ["v1", "checkout", "sessions"]) => open_checkout(world, params),
        ("GET", ["v1", "checkout", "sessions", id]) => {
            params.end()?;
            world.sessions.get(*id).cloned().ok_or_else(|| Refusal::missing("id"))
        }
        ("POST", ["v1", "checkout", "sessions", id, "expire"]) => {
            let session = world.sessions.get(*id).ok_or_else(|| Refusal::missing("id"))?;
            match session["status"] == "open" {
                true => Ok(world.expire_session(id)),
                false => Err(Refusal::new(400, "invalid_request_error", None, None)),
            }
        }
        ("POST", ["v1", "billing_portal", "sessions"]) => {
            let (customer, return_url) = (params.need("customer")?, params.need("return_url")?);
            params.end()?;
            let customer = Some(customer).filter(|id| existing_customer(world, id));
            let customer = customer.ok_or_else(|| Refusal::missing("customer"))?;
            Ok(objects::portal_session(&world.next_id("bps"), &customer, &return_url))
        }
        ("GET", ["v1", "subscriptions"]) => {
            let customer = params.need("customer")?;
            if !existing_customer(world, &customer) {
                return Err(Refusal::missing("customer"));
            }
            let status = params.take("status");
            let fits = |one: &Value| match status.as_deref() {
                None => one["status"] != "canceled",
                Some("all") => true,
                Some(status) => one["status"] == status,
            };
            let all = world.subscriptions.values().filter(|one| one["customer"] == customer.as_str() && fits(one));
            page(all.cloned().collect(), params)
        }
        ("GET", ["v1", "invoices"]) => {
            let (subscription, status) = (params.need("subscription")?, params.need("status")?);
            let parent = |one: &Value| one["parent"]["subscription_details"]["subscription"] == subscription.as_str();
            let all = world.invoices.values().filter(|one| parent(one) && one["status"] == status.as_str());
            page(all.cloned().collect(), params)
        }
        _ => Err(Refusal::new(404, "invalid_request_error", Some("unrecognized_request_url"), None)),
    }
}

fn existing_customer(world: &World, id: &str) -> bool {
    world.customers.get(id).is_some_and(|customer| customer["deleted"] != true)
}

fn open_checkout(world: &mut World, params: &mut Params) -> Answer {
    if params.need("mode")? != "subscription" {
        return Err(Refusal::invalid("parameter_invalid", "mode"));
    }
    let price = params.need("line_items[0][price]")?;
    if ![PRICE_PRO, PRICE_PRO_OLD, PRICE_OTHER].contains(&price.as_str()) {
        return Err(Refusal::missing("line_items[0][price]"));
    }
    params.need("line_items[0][quantity]")?;
    let customer = params.need("customer")?;
    if !existing_customer(world, &customer) {
        return Err(Refusal::missing("customer"));
    }
    let (success, cancel) = (params.need("success_url")?, params.need("cancel_url")?);
    for url in [&success, &cancel] {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Refusal::invalid("url_invalid", "success_url"));
        }
    }
    let reference = params.take("client_reference_id");
    let (metadata, of_subscription) = (params.metadata("metadata"), params.metadata("subscription_data[metadata]"));
    params.take("allow_promotion_codes");
    params.end()?;
    let mut session = objects::checkout_session(&world.next_id("cs_test"), &customer, &price);
    session["client_reference_id"] = json!(reference);
    session["metadata"] = metadata;
    session["success_url"] = json!(success);
    session["cancel_url"] = json!(cancel);
    session["double_subscription_metadata"] = of_subscription;
    Ok(world.add_session(session))
}

/// Newest first, as all lists of the API.
fn page(mut all: Vec<Value>, params: &mut Params) -> Answer {
    let limit: usize = params.take("limit").map_or(10, |limit| limit.parse().unwrap_or(0));
    if !(1..=100).contains(&limit) {
        return Err(Refusal::invalid("parameter_invalid_integer", "limit"));
    }
    all.sort_by_key(|one| std::cmp::Reverse(one["id"].as_str().unwrap_or_default().to_owned()));
    if let Some(after) = params.take("starting_after") {
        let at =
            all.iter().position(|one| one["id"] == after.as_str()).ok_or_else(|| Refusal::missing("starting_after"))?;
        all.drain(..=at);
    }
    params.end()?;
    let has_more = all.len() > limit;
    all.truncate(limit);
    Ok(json!({ "object": "list", "data": all, "has_more": has_more, "url": "/v1/…" }))
}
