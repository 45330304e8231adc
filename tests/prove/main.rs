//! `purser prove` finds nothing wrong, and would: with a protection taken away it does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics where it fails")]

use std::{
    process::Command,
    sync::{Mutex, PoisonError},
};

use purser_tests::{function::binary, packages::project_dir};
use serde_json::Value;

/// One run at a time: each has a Postgres and a Redis of its own.
static ONE: Mutex<()> = Mutex::new(());

/// A short run's figures, and whether it ended well.
fn prove(arguments: &[&str]) -> (Value, bool) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(binary("purser"));
    command.args(["prove", "--short", "--json", "--no-build", "--seed", "1"]).args(arguments);
    command.arg("--root").arg(project_dir()).arg("--bin-dir").arg(binary(""));
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let figures = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("no figures: {error}: {said}"));
    (figures, done.status.success())
}

/// What a run finds without a protection.
fn found_without(protection: &str, scenario: &str) -> Value {
    let (figures, is_good) = prove(&["--only", scenario, "--sabotage", protection]);
    assert!(!is_good && figures["is_zero"] == false, "{figures:#}");
    figures["sum"].clone()
}

#[test]
fn nothing_is_lost_overspent_or_stuck_whatever_breaks() {
    let (figures, is_good) = prove(&[]);
    assert!(is_good && figures["is_zero"] == true, "{figures:#}");
    assert!(figures["sum"]["billed"].as_u64().unwrap() > 200, "{figures:#}");
    assert!(figures["sum"]["longest_wait_ms"].as_u64().unwrap() < 20_000, "{figures:#}");
}

#[test]
fn without_holds_a_budget_is_overspent() {
    let found = found_without("hold", "nearly spent budget");
    assert!(found["over_budget_nanousd"].as_i64().unwrap() > 0, "{found:#}");
}

#[test]
fn without_the_write_ahead_calls_are_missing_in_the_ledger() {
    let found = found_without("write_ahead", "processes killed");
    assert!(found["missing"].as_u64().unwrap() > 0, "{found:#}");
}

#[test]
fn without_settling_for_clients_that_left_the_ledger_only_guesses() {
    let found = found_without("settle_after_hangup", "clients leave");
    assert!(found["guessed"].as_u64().unwrap() > 0, "{found:#}");
}

#[test]
fn without_reconcile_dead_calls_stay_open() {
    let found = found_without("reconcile", "processes killed");
    assert!(found["stuck"].as_u64().unwrap() > 0, "{found:#}");
}

#[test]
fn without_the_ledgers_budgets_an_outage_of_redis_is_overspent() {
    let found = found_without("degraded_budget", "Redis stops");
    assert!(found["over_budget_nanousd"].as_i64().unwrap() > 0, "{found:#}");
}
