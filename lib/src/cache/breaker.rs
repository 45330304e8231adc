//! What keeps callers from waiting for a Redis that is away: after one failure nobody asks it until it has answered a
//! question that nobody waits for.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{CacheError, Door};
use crate::clock;

/// When Redis is looked at for the first time after a failure. Each look that finds it away doubles the wait.
const FIRST_LOOK_MS: u64 = 250;
/// The longest wait between two looks.
const LOOK_EVERY_MAX_MS: u64 = 5_000;
/// A failure so soon after the last outage belongs to it: the waits go on from where they were.
const CALM_MS: i64 = 60_000;
/// How late a look may be before it is taken for one that was frozen with its process.
const LATE_MS: u64 = 2_000;

/// What a breaker has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Redis is away: from now on nobody asks it.
    Away {
        /// Why.
        error: CacheError,
    },
    /// It answers again.
    Back {
        /// How long it was away, in milliseconds.
        away_ms: i64,
    },
}

/// A breaker: closed while Redis answers. One per process; clones share it.
#[derive(Clone)]
pub(super) struct Breaker {
    state: Arc<Mutex<State>>,
    tell: Arc<dyn Fn(Change) + Send + Sync>,
}

#[derive(Default)]
struct State {
    away: Option<Away>,
    /// Counts openings and closings: what was begun before one says nothing about the time after it.
    generation: u64,
    wait_ms: u64,
    back_ms: i64,
}

struct Away {
    since_ms: i64,
    /// When somebody looked last, by the wall clock: timers stand still in a process that is frozen.
    looked_ms: i64,
}

impl Breaker {
    pub(super) fn new(tell: impl Fn(Change) + Send + Sync + 'static) -> Self {
        Self { state: Arc::default(), tell: Arc::new(tell) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().away.is_some()
    }

    /// Whether Redis may be asked; gives what [`Breaker::heard`] wants to know.
    pub(super) async fn enter(&self, door: &Door) -> Result<u64, CacheError> {
        {
            let mut state = self.lock();
            let (generation, wait_ms) = (state.generation, state.wait_ms);
            let Some(away) = &mut state.away else { return Ok(generation) };
            let late_ms = i64::try_from(wait_ms.saturating_add(LATE_MS)).unwrap_or(i64::MAX);
            let now = clock::now_ms();
            if now.saturating_sub(away.looked_ms) < late_ms {
                return Err(CacheError::Away);
            }
            // Nobody has looked although it was time: what is known is old.
            away.looked_ms = now;
        }
        if self.look(door).await { Ok(self.lock().generation) } else { Err(CacheError::Away) }
    }

    /// Looks at once, and waits for the answer.
    pub(super) async fn look(&self, door: &Door) -> bool {
        let is_back = door.ping().await.is_ok();
        if is_back {
            self.close();
        }
        is_back
    }

    /// What became of a question.
    pub(super) fn heard<T>(&self, door: &Door, generation: u64, answer: &Result<T, CacheError>) {
        let Err(error) = answer else { return };
        if !error.is_outage() {
            return;
        }
        let now = clock::now_ms();
        let generation = {
            let mut state = self.lock();
            if state.away.is_some() || state.generation != generation {
                return;
            }
            let is_calm = now.saturating_sub(state.back_ms) > CALM_MS;
            state.wait_ms = if is_calm { FIRST_LOOK_MS } else { longer(state.wait_ms) };
            state.away = Some(Away { since_ms: now, looked_ms: now });
            state.generation += 1;
            state.generation
        };
        (self.tell)(Change::Away { error: error.clone() });
        #[expect(clippy::disallowed_methods, reason = "belongs to the process, not to a request")]
        tokio::spawn(self.clone().look_until_back(door.clone(), generation));
    }

    async fn look_until_back(self, door: Door, generation: u64) {
        loop {
            let wait_ms = self.lock().wait_ms;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            {
                let mut state = self.lock();
                if state.generation != generation {
                    return;
                }
                state.wait_ms = longer(state.wait_ms);
                if let Some(away) = &mut state.away {
                    away.looked_ms = clock::now_ms();
                }
            }
            if self.look(&door).await {
                return;
            }
        }
    }

    fn close(&self) {
        let now = clock::now_ms();
        let away = {
            let mut state = self.lock();
            let away = state.away.take();
            if away.is_some() {
                state.generation += 1;
                state.back_ms = now;
            }
            away
        };
        if let Some(away) = away {
            (self.tell)(Change::Back { away_ms: now.saturating_sub(away.since_ms) });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn longer(wait_ms: u64) -> u64 {
    wait_ms.saturating_mul(2).clamp(FIRST_LOOK_MS, LOOK_EVERY_MAX_MS)
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}
