//! What a caller may call: the models of the plan and the deployment, each with its price.

use serde_json::{Map, Value, json};

use super::Ctx;
use crate::{
    Code, Error,
    auth::Caller,
    clock,
    cost::{self, ModelPrice, Rates, Status, format_usd},
};

/// Which part of the list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPage {
    /// At most so many.
    pub limit: u32,
    /// Those behind this model.
    pub after_id: Option<String>,
    /// Those before this model.
    pub before_id: Option<String>,
}

impl Ctx {
    /// The model of that name, if the caller may call it. No I/O.
    ///
    /// # Errors
    /// `model_unknown`, `model_not_allowed`.
    pub fn check_model(&self, caller: &Caller, name: &str) -> Result<&'static ModelPrice, Error> {
        let plan = caller.plan.plan();
        let today = clock::day_utc(clock::now_ms());
        let model = cost::find(name).filter(|model| model.is_offered_on(&today)).ok_or_else(|| {
            Error::new(
                Code::ModelUnknown,
                "No model of this name is offered. Your plan includes those listed in `models`.",
            )
            .member("models", plan.models)
        })?;
        self.check_allowed(model, plan)?;
        Ok(model)
    }

    /// The models that a caller may call, in the shape of Claude's API (`GET /v1/models`, `@anthropic-ai/sdk` 1.12.0),
    /// each with our `price` beside it.
    pub fn models(&self, caller: &Caller, page: &ModelPage) -> Value {
        let offered = self.offered(caller);
        let at = |id: &Option<String>| {
            let id = id.as_deref()?;
            offered.iter().position(|model| model.id == id)
        };
        let limit = page.limit as usize;
        let to = at(&page.before_id).unwrap_or(offered.len());
        let from = match at(&page.after_id) {
            Some(index) => index + 1,
            // Going back: the page ends where the next one began.
            None if page.before_id.is_some() => to.saturating_sub(limit),
            None => 0,
        };
        let rest = offered.get(from..to.max(from)).unwrap_or_default();
        let data = rest.get(..limit.min(rest.len())).unwrap_or_default();
        let has_more = if page.before_id.is_some() { from > 0 } else { data.len() < rest.len() };
        json!({
            "data": data.iter().map(|model| model_json(model)).collect::<Vec<_>>(),
            "has_more": has_more,
            "first_id": data.first().map(|model| model.id),
            "last_id": data.last().map(|model| model.id),
        })
    }

    /// One of them, by id or alias.
    ///
    /// # Errors
    /// `model_unknown`, also for one that the plan does not include: the list tells which it does.
    pub fn model(&self, caller: &Caller, name: &str) -> Result<Value, Error> {
        let found = cost::find(name).and_then(|model| self.offered(caller).into_iter().find(|one| one.id == model.id));
        found.map(model_json).ok_or_else(|| {
            Error::new(Code::ModelUnknown, "Your plan includes no model of this name. GET /api/v1/models lists them.")
        })
    }

    fn offered(&self, caller: &Caller) -> Vec<&'static ModelPrice> {
        let today = clock::day_utc(clock::now_ms());
        let plan = caller.plan.plan();
        let offered = |model: &&ModelPrice| model.is_offered_on(&today) && self.check_allowed(model, plan).is_ok();
        cost::models().iter().filter(offered).collect()
    }
}

fn model_json(model: &ModelPrice) -> Value {
    let mut price = rates_json(&model.standard);
    if let Some(fast) = &model.fast {
        price.insert("fast".to_owned(), rates_json(fast).into());
    }
    if let Some(long) = &model.long {
        let mut rates = rates_json(&long.rates);
        rates.insert("prompt_tokens_above".to_owned(), long.prompt_tokens_above.into());
        price.insert("long_prompt".to_owned(), rates.into());
    }
    price.insert("version".to_owned(), cost::PRICE_VERSION.into());
    let (name, line, date) = names(model.id);
    json!({
        "type": "model",
        "id": model.id,
        "display_name": name,
        "created_at": date,
        "lifecycle": match model.status { Status::Active => "active", Status::Deprecated => "deprecated", Status::Retired => "retired" },
        "deprecated_at": null,
        "retires_at": model.retires_on.map(|day| format!("{day}T00:00:00Z")),
        "line": line,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.output_tokens_max,
        "capabilities": null,
        "price": price,
    })
}

/// USD per million tokens, as decimal text: a picodollar a token is a nanodollar a thousand tokens.
fn rates_json(rates: &Rates) -> Map<String, Value> {
    [
        ("input", rates.input),
        ("output", rates.output),
        ("cache_write_5m", rates.cache_write_5m),
        ("cache_write_1h", rates.cache_write_1h),
        ("cache_read", rates.cache_read),
    ]
    .into_iter()
    .map(|(name, pico)| (format!("{name}_usd_per_mtok"), format_usd(pico.saturating_mul(1_000)).into()))
    .collect()
}

/// `claude-opus-4-5-20251101` is "Claude Opus 4.5" of the line `opus`. Where the id has no date, the time of release is
/// the epoch, as Claude's API has it where it is not known.
fn names(id: &str) -> (String, &str, String) {
    let is_date = |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit());
    let (stem, date) = match id.rsplit_once('-') {
        Some((stem, date)) if is_date(date) => {
            (stem, format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..]))
        }
        _ => (id, clock::rfc3339_utc(0)),
    };
    let mut words = stem.trim_start_matches("claude-").splitn(2, '-');
    let line = words.next().unwrap_or_default();
    let version = words.next().unwrap_or_default().replace('-', ".");
    let capital = line.chars().take(1).flat_map(char::to_uppercase).chain(line.chars().skip(1)).collect::<String>();
    (format!("Claude {capital} {version}").trim_end().to_owned(), line, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_line_and_date_are_in_its_id() {
        let epoch = "1970-01-01T00:00:00Z".to_owned();
        assert_eq!(names("claude-opus-5-5"), ("Claude Opus 5.5".to_owned(), "opus", epoch));
        let dated = ("Claude Haiku 4.5".to_owned(), "haiku", "2025-10-01T00:00:00Z".to_owned());
        assert_eq!(names("claude-haiku-4-5-20251001"), dated);
    }

    #[test]
    fn prices_are_told_per_million_tokens() {
        let told = model_json(cost::find("claude-haiku-5-5").unwrap());
        assert_eq!(told["price"]["input_usd_per_mtok"], "0.10");
        assert_eq!(told["price"]["output_usd_per_mtok"], "0.50");
        assert_eq!(told["price"]["long_prompt"]["input_usd_per_mtok"], "0.50");
    }
}
