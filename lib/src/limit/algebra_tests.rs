use proptest::prelude::*;

use super::*;

fn window(limit: u64) -> Policy {
    Policy::Window { name: "w".to_owned(), subject: "s".to_owned(), limit, window_ms: 1_000 }
}

fn budget(limit_nanousd: i64) -> Policy {
    let (name, subject) = ("b".to_owned(), "s".to_owned());
    Policy::Budget { name, subject, limit_nanousd, starts_at_ms: 0, resets_at_ms: 9_000 }
}

fn ask(call_id: &CallId, hold_nanousd: i64) -> Ask<'_> {
    Ask { call_id, identity: None, policies: &[], hold_nanousd, slot_ttl_ms: 500, hold_ttl_ms: 500 }
}

/// An account after asks that were all taken, at (time, hold).
fn taken(policy: &Policy, asks: &[(i64, i64)]) -> Account {
    let mut account = Account::default();
    for (now, hold) in asks {
        account.sweep(*now);
        account.take(policy, &ask(&CallId::new(), *hold), *now);
    }
    account
}

#[test]
fn a_full_window_waits_for_its_oldest_entry() {
    let account = taken(&window(2), &[(100, 0), (300, 0)]);
    assert_eq!(account.judge(&window(2), 0, 400), Verdict::Violated { wait_ms: Some(700) });
    assert_eq!(account.judge(&window(3), 0, 400), Verdict::Fits);
}

#[test]
fn a_lowered_limit_waits_for_as_many_entries_as_are_too_many() {
    let account = taken(&window(3), &[(100, 0), (300, 0), (350, 0)]);
    assert_eq!(account.judge(&window(1), 0, 400), Verdict::Violated { wait_ms: Some(950) });
    assert_eq!(account.standing(&window(1), 400).reset_ms, Some(950));
    assert_eq!(account.standing(&window(1), 400).remaining, 0);
}

#[test]
fn a_budget_waits_for_the_holds_in_the_way_or_for_its_reset() {
    let mut account = taken(&budget(10), &[(0, 4), (100, 4)]);
    assert_eq!(account.judge(&budget(10), 2, 100), Verdict::Fits);
    assert_eq!(account.judge(&budget(10), 3, 100), Verdict::Violated { wait_ms: Some(400) });
    assert_eq!(account.judge(&budget(10), 7, 100), Verdict::Violated { wait_ms: Some(500) });
    account.spent = 5;
    assert_eq!(account.judge(&budget(10), 6, 100), Verdict::Violated { wait_ms: Some(8_900) });
    assert_eq!(account.judge(&budget(10), 11, 100), Verdict::Violated { wait_ms: None });
}

#[test]
fn nothing_fits_into_nothing() {
    for policy in [window(0), budget(0)] {
        assert_eq!(Account::default().judge(&policy, 0, 0), Verdict::Violated { wait_ms: None });
        assert_eq!(Account::default().standing(&policy, 0).reset_ms, None);
    }
    let spent = Account { is_open: true, spent: 10, entries: Vec::new() };
    assert_eq!(spent.judge(&budget(10), 0, 0), Verdict::Violated { wait_ms: Some(9_000) });
}

proptest! {
    #[test]
    fn the_wait_is_the_first_moment_that_fits(
        limit in 1..20_i64,
        spent in 0..5_i64,
        asks in proptest::collection::vec((0..400_i64, 0..9_i64), 0..12),
        hold in 0..25_i64,
    ) {
        let mut now = 0;
        let policy = budget(limit);
        let mut account = Account { is_open: true, spent, entries: Vec::new() };
        for (step, hold) in asks {
            now += step;
            account.sweep(now);
            if account.judge(&policy, hold, now) == Verdict::Fits {
                account.take(&policy, &ask(&CallId::new(), hold), now);
            }
        }
        account.sweep(now);
        let fits_at = |at: i64| {
            let mut then = account.clone();
            then.sweep(at);
            then.judge(&policy, hold, at) == Verdict::Fits
        };
        match account.judge(&policy, hold, now) {
            Verdict::Fits => prop_assert!(fits_at(now)),
            Verdict::Violated { wait_ms: None } => prop_assert!(hold.max(1) > limit),
            Verdict::Violated { wait_ms: Some(wait) } => {
                let at = now + i64::try_from(wait).unwrap();
                prop_assert!(!fits_at(at - 1));
                prop_assert!(fits_at(at) || at == 9_000);
            }
        }
    }
}
