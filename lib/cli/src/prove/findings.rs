//! What a scenario found. All must be zero but what is only told.

use std::time::Duration;

use serde::Serialize;

use super::ledger::LedgerRow;

/// More would not be read.
const MOST_DETAILS: usize = 40;

/// One row of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Findings {
    /// Calls that clients made.
    pub(super) calls: usize,
    /// Calls that Claude billed.
    pub(super) billed: usize,
    /// What it billed.
    pub(super) bill_nanousd: i64,
    /// Money that Claude billed over the budgets, of all budgets together.
    pub(super) over_budget_nanousd: i64,
    /// Calls on Claude's bill that the ledger does not have.
    pub(super) missing: usize,
    /// Calls in the ledger that Claude never heard of.
    pub(super) invented: usize,
    /// Holds, slots and rows that nothing will free before they expire.
    pub(super) stuck: usize,
    /// What the ledger says of calls, against the bill: every nanodollar too few, and too many where it says that
    /// it knows.
    pub(super) off_nanousd: i64,
    /// Calls that ended well, and whose usage the ledger only guesses.
    pub(super) guessed: usize,
    /// Whole answers that their conversation does not have.
    pub(super) answers_lost: usize,
    /// Redis against the ledger, after it was rebuilt.
    pub(super) drift_nanousd: i64,
    /// Calls that neither got an answer nor lost their connection.
    pub(super) unanswered: usize,
    /// Told: Redis against the ledger, before anything was repaired.
    pub(super) repaired_nanousd: i64,
    /// Told: what the ledger charges above the bill for calls whose end nobody could know.
    pub(super) over_recorded_nanousd: i64,
    /// Told: the longest that a client waited for an answer's head.
    pub(super) longest_wait_ms: u64,
    /// What else is wrong, in sentences.
    pub(super) faults: Vec<String>,
    /// Each call that does not fit, for the JSON.
    pub(super) details: Vec<String>,
    /// Why it was not run.
    pub(super) skipped: Option<String>,
}

impl Findings {
    /// A scenario that cannot be run here.
    pub(super) fn skipped(why: &str) -> Self {
        Self { skipped: Some(why.to_owned()), ..Self::default() }
    }

    /// Whether everything is zero that must be.
    pub(super) fn is_zero(&self) -> bool {
        let calls = self.missing + self.invented + self.guessed + self.answers_lost + self.unanswered;
        calls + self.stuck + self.faults.len() == 0
            && self.over_budget_nanousd == 0
            && self.off_nanousd == 0
            && self.drift_nanousd == 0
    }

    /// Tells of a call that does not fit.
    pub(super) fn tell(&mut self, what: &str, label: &str, billed_nanousd: i64, row: Option<&LedgerRow>) {
        if self.details.len() < MOST_DETAILS {
            let charged = row.map_or_else(
                || "no row".to_owned(),
                |row| {
                    let source = row.source.as_deref().unwrap_or("reserved");
                    format!("row {} of {} charges {} ({source})", row.id, row.owner, row.charged_nanousd)
                },
            );
            self.details.push(format!("{what}: call {label} billed {billed_nanousd}, {charged}"));
        }
    }

    /// Says what is wrong unless something holds.
    pub(super) fn expect(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.faults.push(otherwise.to_owned());
        }
    }

    /// Nothing failed that could have kept the copies from being right all the time.
    pub(super) fn expect_no_repair(&mut self) {
        let repaired = self.repaired_nanousd;
        self.expect(repaired == 0, &format!("Redis was {repaired} nanodollars off before cron put it right"));
    }

    pub(super) fn waited(&mut self, longest: Duration) {
        self.longest_wait_ms = self.longest_wait_ms.max(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX));
    }

    /// Both together.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.billed += other.billed;
        self.missing += other.missing;
        self.invented += other.invented;
        self.stuck += other.stuck;
        self.guessed += other.guessed;
        self.answers_lost += other.answers_lost;
        self.unanswered += other.unanswered;
        for (sum, more) in [
            (&mut self.bill_nanousd, other.bill_nanousd),
            (&mut self.over_budget_nanousd, other.over_budget_nanousd),
            (&mut self.off_nanousd, other.off_nanousd),
            (&mut self.drift_nanousd, other.drift_nanousd),
            (&mut self.repaired_nanousd, other.repaired_nanousd),
            (&mut self.over_recorded_nanousd, other.over_recorded_nanousd),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.longest_wait_ms = self.longest_wait_ms.max(other.longest_wait_ms);
        self.details.extend(other.details.iter().take(MOST_DETAILS).cloned());
        self.faults.extend(other.faults.iter().cloned());
    }
}
