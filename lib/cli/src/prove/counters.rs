//! What Redis says: holds and slots that are taken, money that is used, usage hashes.

use std::collections::{BTreeMap, BTreeSet};

use purser::{
    cache::{Arg, Cache, CacheError},
    clock,
    cost::hashes::UsageHashes,
    ids::CallerId,
    limit::{Limiter, MAX_EXACT, Policy, Reading},
};

use super::ledger::LedgerRow;

/// The calls that hold something now: money or a slot.
pub(super) async fn holders(cache: &Cache) -> Result<Vec<String>, String> {
    let failed = |error: CacheError| format!("Redis cannot be read: {error}");
    let mut holders = BTreeSet::new();
    for kind in ["in_flight", "holds"] {
        for key in keys(cache, kind).await.map_err(failed)? {
            let live = [Arg::from("ZRANGEBYSCORE"), key.into(), format!("({}", clock::now_ms()).into(), "+inf".into()];
            for member in cache.command(&live).await.map_err(failed)?.list().map_err(failed)? {
                let member = member.text().map_err(failed)?;
                holders.insert(member.split(':').next().unwrap_or(member).to_owned());
            }
        }
    }
    Ok(holders.into_iter().collect())
}

async fn keys(cache: &Cache, kind: &str) -> Result<Vec<String>, CacheError> {
    let pattern = format!("{}limit:{kind}:*", cache.prefix());
    let (mut all, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let scan = ["SCAN", &cursor, "MATCH", &pattern, "COUNT", "1000"].map(Arg::from);
        let reply = cache.command(&scan).await?;
        let [next, found] = reply.list()? else { return Err(CacheError::Protocol("SCAN answers a pair".to_owned())) };
        for key in found.list()? {
            all.push(key.text()?.to_owned());
        }
        cursor = next.text()?.to_owned();
        if cursor == "0" {
            return Ok(all);
        }
    }
}

/// How far Redis is from the ledger: budgets, and the hashes of days and callers.
pub(super) async fn drift_nanousd(cache: &Cache, rows: &[LedgerRow]) -> Result<i64, String> {
    let mut drift = 0_i64;
    for (policy, charged) in budgets(rows) {
        // Used is told even where it is above the limit.
        let Policy::Budget { name, subject, starts_at_ms, resets_at_ms, .. } = policy else { continue };
        let wide = Policy::Budget { name, subject, limit_nanousd: MAX_EXACT, starts_at_ms, resets_at_ms };
        let limiter = Limiter::redis(cache.clone());
        let standings = limiter.peek(&[wide]).await.map_err(|error| error.to_string())?;
        // A budget that Redis knows it has forgotten says nothing wrong: it is opened from the ledger by the next call.
        let Reading::Standings(standings) = standings else { continue };
        let used = standings.iter().map(|standing| standing.limit - standing.remaining).sum::<u64>();
        drift += (i64::try_from(used).unwrap_or(i64::MAX) - charged).abs();
    }
    let hashes = UsageHashes::Redis(cache.clone());
    let (mut days, mut callers) = (BTreeMap::<_, i64>::new(), BTreeMap::<_, i64>::new());
    for row in rows.iter().filter(|row| row.is_settled) {
        *days.entry(clock::day_utc(row.created_ms)).or_default() += row.charged_nanousd;
        *callers.entry(row.owner.clone()).or_default() += row.charged_nanousd;
    }
    let failed = |error: purser::cost::hashes::HashesError| error.to_string();
    for (day, charged) in days {
        let told = hashes.read_daily(&day).await.map_err(failed)?;
        drift += (told.map_or(0, |totals| totals.cost_nanousd) - charged).abs();
    }
    for (caller, charged) in callers {
        let told = hashes.read_user(&CallerId(caller)).await.map_err(failed)?;
        drift += (told.map_or(0, |totals| totals.cost_nanousd) - charged).abs();
    }
    Ok(drift)
}

/// Every budget that a row was taken in, and what the ledger charges to it.
fn budgets(rows: &[LedgerRow]) -> Vec<(Policy, i64)> {
    let mut sums = BTreeMap::new();
    for row in rows {
        for policy in &row.policies {
            if let Policy::Budget { name, subject, .. } = policy {
                let sum = sums.entry((name.clone(), subject.clone())).or_insert((policy.clone(), 0_i64));
                sum.1 += row.charged_nanousd;
            }
        }
    }
    sums.into_values().collect()
}
