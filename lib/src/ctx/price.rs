//! What a call could cost at most, by plan and prices. No I/O.

use super::Ctx;
use crate::{
    Code, Error,
    auth::Caller,
    config::plans::Plan,
    cost::{self, InputBound, ModelPrice},
};

/// The longest that a call may run: the platform's `maxDuration` in vercel.json is 300 s.
pub const CALL_MAX_MS: u64 = 285_000;

/// A call whose model and price are known.
#[derive(Clone, Debug)]
pub struct PricedCall {
    /// The model whose price holds.
    pub model: &'static ModelPrice,
    /// The model as asked for.
    pub model_requested: String,
    /// Most output tokens.
    pub max_tokens: u64,
    /// Output tokens that money is held for: all of them, or a first slice, and more while the call runs.
    pub held_tokens: u64,
    /// The prompt and what else costs, bounded from above.
    pub bound: InputBound,
    /// The most that the call can cost with the tokens that money is held for.
    pub ceiling_nanousd: i64,
}

impl PricedCall {
    /// The largest `max_tokens` with which this call could cost at most so much; none where the prompt alone is dearer.
    pub fn max_tokens_within(&self, nanousd: i64) -> Option<u64> {
        let fits = |tokens| cost::ceiling_nanousd(self.model, &self.bound, tokens).is_ok_and(|cost| cost <= nanousd);
        if !fits(1) {
            return None;
        }
        // Dearer with every token, so halving finds the last one that fits.
        let (mut most, mut too_many) = (1, self.held_tokens.saturating_add(1));
        while too_many - most > 1 {
            let middle = most + (too_many - most) / 2;
            if fits(middle) { most = middle } else { too_many = middle }
        }
        Some(most)
    }
}

impl PricedCall {
    /// The same call with a longer prompt.
    ///
    /// # Errors
    /// `feature_not_priced`.
    pub(super) fn with_prompt(&self, input_tokens: u64) -> Result<Self, Error> {
        let bound = InputBound { input_tokens, ..self.bound.clone() };
        let ceiling_nanousd = ceiling(self.model, &bound, self.held_tokens)?;
        Ok(Self { bound, ceiling_nanousd, ..self.clone() })
    }

    /// The same call with money held for so many output tokens.
    ///
    /// # Errors
    /// `feature_not_priced`.
    pub(super) fn with_output(&self, held_tokens: u64) -> Result<Self, Error> {
        let ceiling_nanousd = ceiling(self.model, &self.bound, held_tokens)?;
        Ok(Self { held_tokens, ceiling_nanousd, ..self.clone() })
    }
}

fn ceiling(model: &ModelPrice, bound: &InputBound, max_tokens: u64) -> Result<i64, Error> {
    cost::ceiling_nanousd(model, bound, max_tokens)
        .map_err(|error| Error::new(Code::FeatureNotPriced, "What this request could cost cannot be told.").log(error))
}

/// `max_tokens` is a ceiling: who asks for more than the plan has may get what the plan has. More than the model has is an
/// error, as it is for Claude's own API.
fn max_tokens(plan: &Plan, model: &ModelPrice, wish: &Wish<'_>) -> Result<u64, Error> {
    let most_of_model = model.output_tokens_max.unwrap_or(plan.max_tokens);
    let most = plan.max_tokens.min(most_of_model);
    let asked = wish.max_tokens.unwrap_or(plan.default_max_tokens);
    let least = wish.max_tokens_least.filter(|_| asked <= most_of_model).unwrap_or(asked);
    if asked > most && least > most {
        let detail = format!("`max_tokens` may be at most {most} with your plan and this model.");
        return Err(Error::new(Code::MaxTokensTooLarge, detail).pointer("/max_tokens").member("max_tokens", most));
    }
    Ok(asked.min(most))
}

/// What a caller asks for.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The model; `None` is the plan's own.
    pub model: Option<&'a str>,
    /// Most output tokens; `None` is the plan's own number.
    pub max_tokens: Option<u64>,
    /// With how few the caller can do, where it asks for more than its plan has; `None` is as many as it asks for.
    pub max_tokens_least: Option<u64>,
    /// The prompt and what else costs.
    pub bound: InputBound,
    /// Whether all output is seen while it is made: then money need not be held for all of it at once.
    pub is_seen: bool,
}

impl Ctx {
    /// Checks model and `max_tokens` against plan and prices, and works out the ceiling. No I/O.
    ///
    /// # Errors
    /// `model_unknown`, `model_not_allowed`, `max_tokens_too_large`, `feature_not_priced`.
    pub fn price_call(&self, caller: &Caller, wish: &Wish<'_>) -> Result<PricedCall, Error> {
        let plan = caller.plan.plan();
        let model_requested = wish.model.unwrap_or(plan.default_model);
        let model = self.check_model(caller, model_requested)?;
        let max_tokens = max_tokens(plan, model, wish)?;
        if wish.bound.fast && model.fast.is_none() {
            return Err(Error::new(Code::FeatureNotPriced, "This model has no fast mode.").pointer("/speed"));
        }
        let is_elastic = wish.is_seen && !model.always_thinks && self.config().budgets.hold(caller.plan);
        let held_tokens =
            plan.hold_output_tokens.filter(|_| is_elastic).map_or(max_tokens, |slice| slice.min(max_tokens));
        let ceiling_nanousd = ceiling(model, &wish.bound, held_tokens)?;
        let (model_requested, bound) = (model_requested.to_owned(), wish.bound.clone());
        Ok(PricedCall { model, model_requested, max_tokens, held_tokens, bound, ceiling_nanousd })
    }

    pub(super) fn check_allowed(&self, model: &ModelPrice, plan: &Plan) -> Result<(), Error> {
        let listed = |name: &String| cost::find(name).is_some_and(|found| found.id == model.id);
        let by_deployment = self.config().claude.models.as_ref().is_none_or(|models| models.iter().any(listed));
        if by_deployment && plan.models.contains(&model.id) {
            return Ok(());
        }
        Err(Error::new(
            Code::ModelNotAllowed,
            "Your plan does not include this model. It includes those listed in `models`.",
        )
        .member("models", plan.models))
    }
}
