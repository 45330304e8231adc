//! Holds that grow: a call takes what it is likely to need, and more when it turns out to need more. Never less than
//! what it could have cost so far.

use super::{
    Ctx,
    admission::Hold,
    call::OpenCall,
    degraded::{Word, ledger_budgets, money},
    prepare::prompt_tokens,
    price::PricedCall,
    refusal::Refusal,
};
use crate::{
    Error,
    auth::Caller,
    books::{unavailable, unavailable_now},
    chat::ChatBody,
    ids::CallId,
    limit::{Extension, Policy, Reading, Standing},
    store::Raised,
};

/// How often growing is tried again: lost accounts can be in the way.
const ROUNDS: usize = 3;

impl Ctx {
    /// Makes the hold of a chat call large enough for the history that it turned out to have. Most conversations fit
    /// what was held at first; longer ones cost one more round trip to limiter and store.
    ///
    /// # Errors
    /// `budget_exceeded`, `limiter_unavailable`, `store_unavailable`: the call must not be made then.
    pub(super) async fn hold_history(
        &self,
        caller: &Caller,
        call: &mut OpenCall,
        body: &ChatBody,
    ) -> Result<(), Error> {
        let history = call.conversation.iter().flat_map(|conversation| &conversation.history);
        let history_tokens = history.fold(0_u64, |sum, message| sum.saturating_add(message.tokens_bound));
        let prompt_tokens = prompt_tokens(body, history_tokens);
        if prompt_tokens <= call.priced.bound.input_tokens {
            return Ok(());
        }
        let grown = call.priced.with_prompt(prompt_tokens)?;
        if !self.hold_more(&call.hold, call.priced.ceiling_nanousd, grown.ceiling_nanousd).await? {
            return Err(self.no_room(caller, call, &grown).await);
        }
        call.priced = grown;
        Ok(())
    }

    /// Makes a call's hold larger in limiter and ledger, or in neither, and says whether there was room. Where the
    /// limiter is away, or did not take the call, the ledger decides.
    ///
    /// # Errors
    /// `limiter_unavailable`, `store_unavailable`: nobody knows, and it may hold as much or as little.
    pub(super) async fn hold_more(&self, hold: &Hold, from_nanousd: i64, to_nanousd: i64) -> Result<bool, Error> {
        let mut by = if hold.here.is_some() { Word::LedgerAlone } else { Word::Limiter };
        if by == Word::Limiter {
            match self.time("limit", self.extend(&hold.call_id, &hold.policies, to_nanousd)).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(_) if self.is_limiter_away() => by = Word::LedgerAlone,
                Err(error) => return Err(error),
            }
        }
        let (store, budgets) = (self.store().await?, ledger_budgets(&hold.policies));
        loop {
            let money = money(by, hold.taken_ms, &budgets);
            let raised = store.raise_ceiling(hold.call_id.as_str(), from_nanousd, to_nanousd, money);
            match self.time("store", raised).await? {
                Raised::Done => return Ok(true),
                Raised::Fenced if by == Word::Limiter => by = Word::LedgerToo,
                Raised::Fenced | Raised::NoRoom => return Ok(false),
            }
        }
    }

    /// Makes a hold as large as said, in all of the call's budgets or in none, and says whether there was room.
    ///
    /// # Errors
    /// `limiter_unavailable`, `store_unavailable`: nobody knows, and it may hold as much or as little.
    async fn extend(&self, call_id: &CallId, policies: &[Policy], hold_nanousd: i64) -> Result<bool, Error> {
        if !policies.iter().any(Policy::is_budget) {
            return Ok(true);
        }
        for _ in 0..ROUNDS {
            let ask = self.ask(call_id, policies, hold_nanousd);
            match self.limiter()?.extend(&ask).await.map_err(unavailable)? {
                Extension::Granted => return Ok(true),
                Extension::Refused => return Ok(false),
                Extension::Obstructed(obstacle) => drop(self.clear(obstacle, policies).await?),
            }
        }
        Err(unavailable_now())
    }

    /// The refusal of a call that holds less than it needs. What it holds comes back when it is dropped.
    async fn no_room(&self, caller: &Caller, call: &OpenCall, grown: &PricedCall) -> Error {
        if call.hold.here.is_some() || self.is_limiter_away() {
            return match self.ledger_refusal(caller, grown, &call.hold, call.priced.ceiling_nanousd).await {
                Ok(refusal) => refusal.unwrap_or_else(unavailable_now),
                Err(error) => error,
            };
        }
        let policies: Vec<Policy> = call.hold.policies.iter().filter(|policy| policy.is_budget()).cloned().collect();
        let look = match self.limiter() {
            Ok(limiter) => limiter.look(None, &policies).await.map_err(unavailable),
            Err(error) => Err(error),
        };
        let mut standings = match look {
            Ok(Reading::Standings(standings)) => standings,
            Ok(_) => return unavailable_now(),
            Err(error) => return error,
        };
        let held = u64::try_from(call.priced.ceiling_nanousd).unwrap_or(0);
        for standing in &mut standings {
            standing.remaining = standing.limit.min(standing.remaining.saturating_add(held));
        }
        let needed = u64::try_from(grown.ceiling_nanousd).unwrap_or(u64::MAX);
        let short = |standing: &&Standing| standing.remaining < needed;
        let violated: Vec<String> = standings.iter().filter(short).map(|standing| standing.policy.clone()).collect();
        let (policies, violated, standings) = (&policies, &violated, &standings);
        Refusal { caller, call: grown, policies, violated, retry_after_ms: None, standings }.error()
    }
}
