//! What Redis keeps by itself: a key must not be gone while something in it counts, and what the limiter notes in order
//! not to look for it must not hide anything.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use purser::{ids::CallId, limit::Policy};
use tokio::runtime::Runtime;

use crate::rig::{HOLD_MS, Rig, budget, in_flight, open, redis_connection, window};

const WINDOW_MS: u64 = 50_000;

/// Something that a call does after a pause.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    Release(usize),
    Settle(usize),
    /// One that was admitted elsewhere, so long ago.
    SettleLate(i64),
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let step = prop_oneof![
        4 => Just(Step::Reserve),
        1 => (0..8_usize).prop_map(Step::Release),
        1 => (0..8_usize).prop_map(Step::Settle),
        1 => (0..60_000_i64).prop_map(Step::SettleLate),
    ];
    (0..40_000_i64, step)
}

/// Keys in which a call counts, and when they are gone by the test's clock. Redis counts by its own, so the test takes
/// their lifetimes away before each step and looks who has been given a new one.
struct Keys {
    connection: redis::aio::MultiplexedConnection,
    names: [String; 2],
    gone_at: [Option<i64>; 2],
}

impl Keys {
    async fn persist(&mut self) {
        for name in &self.names {
            let _: i64 = redis::cmd("PERSIST").arg(name).query_async(&mut self.connection).await.unwrap();
        }
    }

    async fn check(&mut self, now: i64, start_ms: i64) {
        for (name, gone_at) in self.names.iter().zip(&mut self.gone_at) {
            let ttl_ms: i64 = redis::cmd("PTTL").arg(name).query_async(&mut self.connection).await.unwrap();
            if ttl_ms >= 0 {
                *gone_at = Some(now + ttl_ms);
            }
            let range = redis::cmd("ZRANGE").arg(name).arg(&["-1", "-1", "WITHSCORES"]).to_owned();
            let last: Vec<(String, i64)> = range.query_async(&mut self.connection).await.unwrap();
            if let Some((call_id, frees_at_ms)) = last.first() {
                let counts_until = frees_at_ms - start_ms;
                assert!(*gone_at >= Some(counts_until), "{name} is gone at {gone_at:?}, before {call_id} is");
            }
        }
    }
}

#[test]
fn windows_and_slots_are_kept_as_long_as_a_call_in_them_counts() {
    let runtime = Runtime::new().unwrap();
    let rig = runtime.block_on(Rig::all()).remove(0);
    let start_ms = crate::rig::START_MS;
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec(step(), 1..24);
    let run = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(follow(&rig, &steps, start_ms));
        Ok(())
    });
    run.unwrap();
}

async fn follow(rig: &Rig, steps: &[(i64, Step)], start_ms: i64) {
    let subject = CallId::new().0;
    let policies = [window("requests", 1_000, WINDOW_MS), in_flight("running", 1_000)].map(|mut policy| {
        if let Policy::Window { subject: own, .. } | Policy::InFlight { subject: own, .. } = &mut policy {
            own.clone_from(&subject);
        }
        policy
    });
    let names = [format!("window:requests:{subject}:{WINDOW_MS}"), format!("in_flight:running:{subject}")];
    let names = names.map(|name| rig.redis_key(&format!("limit:{name}")));
    let mut keys = Keys { connection: redis_connection().await, names, gone_at: [None; 2] };
    let mut calls: Vec<CallId> = Vec::new();
    for (pause, step) in steps {
        rig.at(rig.now() + pause);
        keys.persist().await;
        match step {
            Step::Reserve => calls.push(rig.ask(&policies, 0).await.0),
            Step::Release(_) | Step::Settle(_) if calls.is_empty() => {}
            Step::Release(at) => rig.release(&calls[at % calls.len()], &policies).await,
            Step::Settle(at) => rig.settle(&calls[at % calls.len()], &policies, 1).await,
            Step::SettleLate(ago) => {
                let made_ms = start_ms + rig.now() - ago;
                rig.limiter.settle_late(&CallId::new(), &policies, 1, made_ms).await.unwrap();
            }
        }
        keys.check(rig.now(), start_ms).await;
    }
}

#[tokio::test]
async fn a_hold_expires_in_an_account_that_does_not_say_when_its_first_one_ends() {
    let rig = Rig::all().await.remove(0);
    let policies = [budget("day", 1_000)];
    open(&rig.limiter, &policies).await;
    assert!(rig.admits(&policies, 600).await);
    let account = rig.redis_key("limit:budget:day:user:1:2027-01");
    let mut connection = redis_connection().await;
    let _: i64 = redis::cmd("HDEL").arg(&account).arg("first").query_async(&mut connection).await.unwrap();
    rig.at(10);
    assert!(rig.admits(&policies, 400).await);
    let first: Option<i64> = redis::cmd("HGET").arg(&account).arg("first").query_async(&mut connection).await.unwrap();
    assert_eq!(first, Some(crate::rig::START_MS + HOLD_MS), "the next call notes it");
    rig.at(HOLD_MS);
    assert_eq!(rig.left(&policies[0]).await.0, 600);
    assert!(rig.admits(&policies, 600).await);
    rig.at(HOLD_MS + 10);
    assert_eq!(rig.left(&policies[0]).await.0, 400, "the second hold expires after the first was swept");
}

#[tokio::test]
async fn the_first_hold_is_known_when_holds_come_and_go() {
    let rig = Rig::all().await.remove(0);
    let policies = [budget("day", 1_000)];
    open(&rig.limiter, &policies).await;
    let (early, _) = rig.ask(&policies, 500).await;
    rig.at(20_000);
    let (_, late) = rig.ask(&policies, 500).await;
    assert!(late.is_admitted());
    rig.settle(&early, &policies, 0).await;
    rig.at(HOLD_MS);
    assert!(rig.admits(&policies, 500).await, "nothing has expired, one has been settled");
    assert!(!rig.admits(&policies, 1).await);
    rig.at(20_000 + HOLD_MS);
    assert_eq!(rig.left(&policies[0]).await.0, 500, "the second has expired, though the first was noted before it");
}
