//! What the limiter costs Redis: its own time in each script, as `INFO commandstats` has it, with four policies, three
//! budgets and an identity, beside few running calls and beside ten thousand: one call at a time, for which Redis has to
//! be woken up and finds its caches cold, and sixteen at once. `limiter [CALLS]`, with `tests/services` up.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the services say in the environment where they are")]

use std::time::Duration;

use futures_util::future::join_all;
use purser::{
    cache::{Arg, Cache, Reply},
    clock,
    ids::CallId,
    limit::{Ask, Identity, Limiter, MAX_EXACT, Opening, Policy, RunningCall},
};

/// Calls of a batch.
const BATCH: usize = 64;
const HOUR_MS: u64 = 3_600_000;
const HOLD_TTL_MS: u64 = 26 * HOUR_MS;
const HOLD_NANOUSD: i64 = 1_000_000;
const MAX_NANOUSD: i64 = MAX_EXACT;

struct Bench {
    cache: Cache,
    limiter: Limiter,
    policies: Vec<Policy>,
    calls: usize,
    at_once: usize,
}

fn main() {
    let calls: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(4_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{:<28}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "Redis, us per call", "reserve", "refusal", "extend", "settle", "look"
    );
    for at_once in [1, 16] {
        for running in [10, 10_000] {
            runtime.block_on(measure(calls, running, at_once));
        }
    }
}

async fn measure(calls: usize, running: usize, at_once: usize) {
    let prefix = format!("bench-limiter-{running}-{at_once}-{}:", std::process::id());
    let cache = Cache::tcp(&std::env::var("TEST_REDIS_URL").unwrap(), &prefix).unwrap();
    let cache = cache.with_deadline(Duration::from_secs(20));
    let bench =
        Bench { limiter: Limiter::redis(cache.clone()), cache, policies: policies(MAX_NANOUSD), calls, at_once };
    bench.open(running).await;
    let ids: Vec<_> = (0..calls).map(|_| CallId::new()).collect();
    let reserve = bench.time(async |at| bench.reserve(&ids[at], &bench.policies, HOLD_NANOUSD, true).await).await;
    // Two budgets are full: the wait has to be found among the running calls.
    let full = policies(HOLD_NANOUSD);
    let strangers: Vec<_> = (0..calls).map(|_| CallId::new()).collect();
    let refusal = bench.time(async |at| bench.reserve(&strangers[at], &full, HOLD_NANOUSD, false).await).await;
    let extend = bench.time(async |at| bench.extend(&ids[at]).await).await;
    let settle =
        bench.time(async |at| drop(bench.limiter.settle(&ids[at], &bench.policies, 1_000).await.unwrap())).await;
    let look = bench.time(async |_| drop(bench.limiter.look(Some(identity()), &bench.policies).await.unwrap())).await;
    let name = format!("{at_once} at once, beside {running}");
    println!("{name:<28}{reserve:>12.1}{refusal:>12.1}{extend:>12.1}{settle:>12.1}{look:>12.1}");
}

impl Bench {
    /// Lets every budget have so many running calls.
    async fn open(&self, running: usize) {
        let call = |number| RunningCall {
            call_id: CallId(format!("running-{number}")),
            hold_nanousd: HOLD_NANOUSD,
            // They began within the last minute.
            ends_at_ms: clock::now_ms() + i64::try_from(HOLD_TTL_MS).unwrap() - i64::try_from(number % 60_000).unwrap(),
        };
        for policy in self.policies.iter().filter(|policy| policy.is_budget()) {
            let running = (0..running).map(call).collect();
            let opening = Opening { policy: policy.clone(), settled_nanousd: 0, settling: Vec::new(), running };
            self.limiter.open(&opening).await.unwrap();
        }
    }

    async fn reserve(&self, call_id: &CallId, policies: &[Policy], hold_nanousd: i64, is_admitted: bool) {
        let ask = Ask { identity: Some(identity()), ..ask(call_id, policies, hold_nanousd) };
        assert_eq!(self.limiter.reserve(&ask).await.unwrap().is_admitted(), is_admitted);
    }

    async fn extend(&self, call_id: &CallId) {
        self.limiter.extend(&ask(call_id, &self.policies, 2 * HOLD_NANOUSD)).await.unwrap();
    }

    /// Microseconds of Redis for one call: the median of batches, because the machine does other things as well. The
    /// first batch, which brings the script, does not count.
    async fn time(&self, work: impl AsyncFn(usize)) -> f64 {
        let mut batches = Vec::new();
        for batch in 0..self.calls / BATCH {
            let before = self.evalsha_us().await;
            for from in (batch * BATCH..(batch + 1) * BATCH).step_by(self.at_once) {
                join_all((from..from + self.at_once).map(async |at| work(at).await)).await;
            }
            batches.push((self.evalsha_us().await - before) / BATCH as f64);
        }
        batches.remove(0);
        batches.sort_by(f64::total_cmp);
        batches[batches.len() / 2]
    }

    /// What Redis has spent on scripts so far.
    async fn evalsha_us(&self) -> f64 {
        let Reply::Text(text) = self.cache.command(&[Arg::from("INFO"), Arg::from("commandstats")]).await.unwrap()
        else {
            return 0.0;
        };
        let text = String::from_utf8(text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:")).unwrap_or_default();
        line.split(',').find_map(|part| part.strip_prefix("usec=")).map_or(0.0, |us| us.parse().unwrap())
    }
}

fn identity() -> Identity<'static> {
    Identity { subject: "user:bench", session: Some("session"), plan: "pro", issued_ms: clock::now_ms() }
}

fn ask<'a>(call_id: &'a CallId, policies: &'a [Policy], hold_nanousd: i64) -> Ask<'a> {
    Ask { call_id, identity: None, policies, hold_nanousd, slot_ttl_ms: 300_000, hold_ttl_ms: HOLD_TTL_MS }
}

/// Three windows and slots, and three budgets.
fn policies(limit_nanousd: i64) -> Vec<Policy> {
    let window = |name: &str| Policy::Window {
        name: name.to_owned(),
        subject: "user:bench".to_owned(),
        limit: 1_000_000,
        window_ms: HOUR_MS,
    };
    let (starts_at_ms, resets_at_ms) = clock::period_utc(clock::Period::Month, clock::now_ms());
    let budget = |name: &str, limit_nanousd| Policy::Budget {
        name: name.to_owned(),
        subject: "bench".to_owned(),
        limit_nanousd,
        starts_at_ms,
        resets_at_ms,
    };
    let slots = Policy::InFlight { name: "in-flight".to_owned(), subject: "user:bench".to_owned(), limit: 1_000_000 };
    vec![
        window("network"),
        window("browser"),
        window("requests"),
        slots,
        budget("user-month", MAX_NANOUSD),
        budget("plan-month", limit_nanousd),
        budget("deployment-month", limit_nanousd),
    ]
}
