//! What the limiter costs Redis: its own time in each script, as `INFO commandstats` has it, with four policies, three
//! budgets and an identity, beside few running calls and beside ten thousand. `limiter [CALLS]`, with `tests/services` up.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the services say in the environment where they are")]

use std::time::Duration;

use purser::{
    cache::{Arg, Cache, Reply},
    clock,
    ids::CallId,
    limit::{Ask, Identity, Limiter, MAX_EXACT, Opening, Policy, RunningCall},
};

const HOUR_MS: u64 = 3_600_000;
const HOLD_NANOUSD: i64 = 1_000_000;
const MAX_NANOUSD: i64 = MAX_EXACT;

struct Bench {
    cache: Cache,
    limiter: Limiter,
    policies: Vec<Policy>,
    calls: usize,
}

fn main() {
    let calls: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{:<28}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "Redis, us per call", "reserve", "refusal", "extend", "settle", "look"
    );
    for running in [10, 10_000] {
        runtime.block_on(measure(calls, running));
    }
}

async fn measure(calls: usize, running: usize) {
    let prefix = format!("bench-limiter-{running}-{}:", std::process::id());
    let cache = Cache::tcp(&std::env::var("TEST_REDIS_URL").unwrap(), &prefix).unwrap();
    let cache = cache.with_deadline(Duration::from_secs(20));
    let bench = Bench { limiter: Limiter::redis(cache.clone()), cache, policies: policies(MAX_NANOUSD), calls };
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
    let name = format!("beside {running} calls");
    println!("{name:<28}{reserve:>12.1}{refusal:>12.1}{extend:>12.1}{settle:>12.1}{look:>12.1}");
}

impl Bench {
    /// Lets every budget have so many running calls.
    async fn open(&self, running: usize) {
        let call = |number| RunningCall {
            call_id: CallId(format!("running-{number}")),
            hold_nanousd: HOLD_NANOUSD,
            ends_at_ms: clock::now_ms() + 20 * 3_600_000 + i64::try_from(number).unwrap(),
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

    /// Microseconds of Redis for one of so many calls; the first few, which bring the script, do not count.
    async fn time(&self, work: impl AsyncFn(usize)) -> f64 {
        let warm = self.calls / 20;
        for at in 0..warm {
            work(at).await;
        }
        let before = self.evalsha_us().await;
        for at in warm..self.calls {
            work(at).await;
        }
        (self.evalsha_us().await - before) / (self.calls - warm) as f64
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
    Ask { call_id, identity: None, policies, hold_nanousd, slot_ttl_ms: 300_000, hold_ttl_ms: 26 * HOUR_MS }
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
