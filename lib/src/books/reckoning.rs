//! The copies compared with the ledger, and put right.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Books, accounts, unavailable};
use crate::{
    Error, clock,
    clock::{Period, period_utc},
    config::plans::PlanId,
    cost::hashes::{HashOf, UsageTotals},
    ids::CallerId,
    limit::{Figures, Policy},
    store::{GONE, LedgerSum},
};

const DAY_MS: i64 = 86_400_000;
/// How often a hash that differs is read again while calls are on their way to it.
const ATTEMPTS: u32 = 8;
/// The first wait in between; each is longer than the one before. All together a second and a half.
const WAIT: Duration = Duration::from_millis(40);
/// How long a comparison of all copies waits in between altogether, however many of them differ.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reckoning {
    /// How many budgets and hashes were compared.
    pub compared: u64,
    /// Where a copy says something else than the ledger.
    pub differences: Vec<Difference>,
    /// Settled calls that were on their way to the copies meanwhile: with any of them a difference may be none.
    pub in_motion: i64,
}

/// One figure that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which copy: `usage:daily:2026-11-24`, `budget:user-day:user:42:2026-11-24`.
    pub of: String,
    /// Which figure.
    pub field: String,
    /// What the ledger says.
    pub ledger: i64,
    /// What the copy says.
    pub copy: i64,
}

impl Reckoning {
    fn add(&mut self, more: Vec<Difference>) {
        self.compared += 1;
        self.differences.extend(more);
    }
}

impl Books {
    /// Compares every budget of the present day and month, and the hashes of the days from `since_ms` on and of
    /// everybody who made a call since then. Where `repairs`, what differs is put right from the ledger.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`, `internal` where the hashes do not answer.
    pub async fn reckon(&self, since_ms: i64, repairs: bool) -> Result<Reckoning, Error> {
        let now_ms = self.limiter.now_ms().await.map_err(unavailable)?;
        let patience = Patience { until: Instant::now() + PATIENCE };
        let mut found = Reckoning::default();
        for policy in self.budgets_in_use(now_ms).await? {
            let differences = self.compare_budget(&policy, &patience).await?;
            if repairs && !differences.is_empty() {
                self.limiter.drop_accounts(std::slice::from_ref(&policy)).await.map_err(unavailable)?;
            }
            found.add(differences);
        }
        let until_ms = now_ms.max(clock::now_ms()).saturating_add(DAY_MS);
        for (day, sum) in self.store.sums_by_day(since_ms, until_ms).await? {
            found.add(self.compare_hash(&Hashed::Day(day), sum, repairs, &patience).await?);
        }
        for (owner, sum) in self.store.sums_by_owner(since_ms, until_ms).await? {
            found.add(self.compare_hash(&Hashed::Owner(owner), sum, repairs, &patience).await?);
        }
        found.in_motion = self.store.unbooked().await?;
        Ok(found)
    }

    /// Every budget of the present periods that somebody has touched.
    async fn budgets_in_use(&self, now_ms: i64) -> Result<Vec<Policy>, Error> {
        let (since_ms, until_ms) = period_utc(Period::Month, now_ms);
        let mut policies = accounts::deployment_budgets(&self.budgets, now_ms);
        for (subject, plan) in self.store.subjects(since_ms, until_ms).await? {
            let Some(plan) = PlanId::parse(&plan) else { continue };
            // What a deleted account spent was counted under its name, which nobody knows any more.
            let callers = match subject.starts_with(GONE) {
                true => Vec::new(),
                false => accounts::callers_budgets(&self.budgets, plan, &subject, now_ms),
            };
            for policy in callers.into_iter().chain(accounts::shared_budgets(&self.budgets, plan, now_ms)) {
                if !policies.contains(&policy) {
                    policies.push(policy);
                }
            }
        }
        Ok(policies)
    }

    /// Compares a budget with its sum. Where they differ, they are read again until nothing is on its way between them,
    /// and once more in any case: a call may have been settled between the two readings.
    async fn compare_budget(&self, policy: &Policy, patience: &Patience) -> Result<Vec<Difference>, Error> {
        let (mut differences, _) = self.read_budget(policy).await?;
        for attempt in 1..=ATTEMPTS {
            if differences.is_empty() {
                break;
            }
            if !patience.wait(attempt).await && attempt > 1 {
                break;
            }
            let (found, is_still) = self.read_budget(policy).await?;
            differences = found;
            if is_still {
                break;
            }
        }
        Ok(differences)
    }

    /// Where a budget differs from its sum, and whether nothing was on its way between them.
    async fn read_budget(&self, policy: &Policy) -> Result<(Vec<Difference>, bool), Error> {
        let Policy::Budget { name, subject, starts_at_ms, resets_at_ms, .. } = policy else {
            return Ok((Vec::new(), true));
        };
        let scope = accounts::scope(policy).ok_or_else(|| Error::internal("a budget of nobody"))?;
        let figures = self.limiter.figures(std::slice::from_ref(policy)).await.map_err(unavailable)?;
        let ledger = self.store.read_budget(scope, *starts_at_ms, *resets_at_ms).await?;
        let (spent_nanousd, held_nanousd) = match figures.first() {
            Some(Figures::Open { spent_nanousd, held_nanousd }) => (*spent_nanousd, *held_nanousd),
            Some(Figures::Untouched) => (0, 0),
            // It will be opened from the ledger before anybody spends out of it.
            Some(Figures::Lost) | None => return Ok((Vec::new(), true)),
        };
        // A hold may be smaller than its call's ceiling; larger than all of them together is a hold without a call.
        let ceilings = ledger.running.iter().map(|(_, ceiling, _)| *ceiling).sum();
        let difference = |field: &str, ledger, copy| Difference {
            of: format!("budget:{name}:{subject}"),
            field: field.to_owned(),
            ledger,
            copy,
        };
        let mut differences = Vec::new();
        if spent_nanousd != ledger.settled_nanousd {
            differences.push(difference("spent_nanousd", ledger.settled_nanousd, spent_nanousd));
        }
        if held_nanousd > ceilings {
            differences.push(difference("held_nanousd", ceilings, held_nanousd));
        }
        Ok((differences, ledger.settling.is_empty()))
    }

    /// Compares a hash with a sum. Where they differ, they are read again until nothing is on its way between them: the
    /// hash first, so that whatever it has counted is in the ledger's sum.
    async fn compare_hash(
        &self,
        hashed: &Hashed,
        sum: LedgerSum,
        repairs: bool,
        patience: &Patience,
    ) -> Result<Vec<Difference>, Error> {
        let hash = hashed.hash();
        let mut differences = hash_differences(&hash, &sum, &self.totals(&hash).await?);
        for attempt in 1..=ATTEMPTS {
            if differences.is_empty() {
                break;
            }
            let totals = self.totals(&hash).await?;
            let sum = self.sum(hashed).await?;
            differences = hash_differences(&hash, &sum, &totals);
            let is_still = sum.unbooked == 0;
            if is_still && !repairs {
                break;
            }
            if is_still && !differences.is_empty() {
                let replaced = self.hashes.replace(&hash, totals.requests, sum.numbers).await;
                if replaced.map_err(Error::internal)? {
                    break;
                }
            }
            if !patience.wait(attempt).await {
                break;
            }
        }
        Ok(differences)
    }

    async fn totals(&self, hash: &HashOf) -> Result<UsageTotals, Error> {
        Ok(self.hashes.read_hash(hash).await.map_err(Error::internal)?.unwrap_or_default())
    }

    async fn sum(&self, hashed: &Hashed) -> Result<LedgerSum, Error> {
        match hashed {
            Hashed::Day(day) => {
                let since_ms = day.saturating_mul(DAY_MS);
                let days = self.store.sums_by_day(since_ms, since_ms.saturating_add(DAY_MS)).await?;
                Ok(days.first().map(|(_, sum)| *sum).unwrap_or_default())
            }
            Hashed::Owner(owner) => Ok(self.store.sum_of_owner(owner).await?),
        }
    }
}

/// What is left of the time that a comparison waits in between.
struct Patience {
    until: Instant,
}

impl Patience {
    /// Waits, longer each time; false, and at once, where there has been waiting enough.
    async fn wait(&self, attempt: u32) -> bool {
        let is_left = Instant::now() < self.until;
        if is_left {
            tokio::time::sleep(WAIT * attempt).await;
        }
        is_left
    }
}

/// What the ledger adds up for a hash.
enum Hashed {
    /// A day, counted from 1970-01-01.
    Day(i64),
    Owner(String),
}

impl Hashed {
    fn hash(&self) -> HashOf {
        match self {
            Self::Day(day) => HashOf::Day(clock::day_utc(day.saturating_mul(DAY_MS))),
            Self::Owner(owner) => HashOf::Caller(CallerId(owner.clone())),
        }
    }
}

fn hash_differences(hash: &HashOf, sum: &LedgerSum, totals: &UsageTotals) -> Vec<Difference> {
    let pairs = totals.numbers().into_iter().zip(sum.numbers);
    let differing = pairs.filter(|((_, copy), ledger)| copy != ledger);
    differing
        .map(|((field, copy), ledger)| Difference { of: hash.key(), field: field.to_owned(), ledger, copy })
        .collect()
}
