//! Holds that grow with the answer. A call begins with money for a first slice of its output; well before the stream gets
//! there, more is taken from the same budgets in the background. Where no more is to be had, the answer ends.
//!
//! How far a stream is, is bounded from above: a token has a byte at least. So what was generated is always held.

use tokio::sync::watch;

use super::{Ctx, admission::Hold, call::OpenCall, price::PricedCall};
use crate::Error;

/// The answer ends so long before its hold does: what is generated before Claude notices, and the largest event.
const MARGIN_TOKENS: u64 = 512;

/// The growing hold of a running call.
pub(super) struct Elastic {
    ctx: Ctx,
    hold: Hold,
    priced: PricedCall,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy)]
struct State {
    held_tokens: u64,
    is_growing: bool,
    has_room: bool,
}

impl Elastic {
    /// None where the call holds for all of its output, so that Claude itself keeps to it.
    pub(super) fn of(ctx: &Ctx, call: &OpenCall) -> Option<Self> {
        if call.priced.held_tokens >= call.priced.max_tokens {
            return None;
        }
        let state = State { held_tokens: call.priced.held_tokens, is_growing: false, has_room: true };
        Some(Self {
            ctx: ctx.clone(),
            hold: call.hold.clone(),
            priced: call.priced.clone(),
            state: watch::Sender::new(state),
        })
    }

    /// The stream may be at so many tokens: takes more where the hold is half used, and says whether the answer may go
    /// on. Waits only where the hold is all but used and more has been asked for already.
    pub(super) async fn reach(&self, tokens: u64) -> bool {
        loop {
            let state = *self.state.borrow();
            if state.held_tokens >= self.priced.max_tokens {
                return true;
            }
            if tokens.saturating_mul(2) >= state.held_tokens && state.has_room && !state.is_growing {
                self.grow(state.held_tokens, state.held_tokens.saturating_mul(2).min(self.priced.max_tokens));
                continue;
            }
            if tokens.saturating_add(MARGIN_TOKENS) < state.held_tokens {
                return true;
            }
            if !state.is_growing || self.state.subscribe().wait_for(|state| !state.is_growing).await.is_err() {
                return false;
            }
        }
    }

    /// Grows the hold behind the stream's back.
    fn grow(&self, held_tokens: u64, wanted_tokens: u64) {
        self.state.send_modify(|state| state.is_growing = true);
        let (ctx, state) = (self.ctx.clone(), self.state.clone());
        let (hold, priced) = (self.hold.clone(), self.priced.clone());
        self.ctx.after(async move {
            let grown = ctx.take_more(&hold, &priced, held_tokens, wanted_tokens).await;
            if let Err(error) = &grown {
                ctx.warn("growth_failed", error);
            }
            state.send_modify(|state| {
                state.is_growing = false;
                match grown {
                    Ok(true) => state.held_tokens = wanted_tokens,
                    Ok(false) | Err(_) => state.has_room = false,
                }
            });
        });
    }
}

impl Ctx {
    /// Money first, then the ledger: a process that dies in between has generated no more than the ledger says.
    async fn take_more(
        &self,
        hold: &Hold,
        priced: &PricedCall,
        held_tokens: u64,
        wanted_tokens: u64,
    ) -> Result<bool, Error> {
        let from = priced.with_output(held_tokens)?.ceiling_nanousd;
        self.hold_more(hold, from, priced.with_output(wanted_tokens)?.ceiling_nanousd).await
    }
}
