//! Every policy that a call of a caller must fit.

use crate::{
    auth::{Caller, Kind},
    clock::{Period, day_utc, period_utc},
    config::{Config, plans::Budget},
    limit::Policy,
};

/// A caller's policies around a time: request windows, slots, and the budgets of the caller, the plan and the deployment.
pub(super) fn policies(caller: &Caller, config: &Config, now_ms: i64) -> Vec<Policy> {
    let mut policies = calls(caller);
    let budgets = config.budgets.of(caller.plan);
    let plan = caller.plan.as_str();
    policies.extend(periods("user", caller.subject(), &budgets.caller, now_ms));
    policies.extend(periods("plan", plan, &budgets.together, now_ms));
    policies.extend(periods("deployment", "all", &config.budgets.deployment, now_ms));
    policies
}

/// Whether a policy is the caller's own: what others spend is nobody else's business.
pub(super) fn is_callers_own(policy: &str) -> bool {
    !policy.starts_with("plan-") && !policy.starts_with("deployment-")
}

fn calls(caller: &Caller) -> Vec<Policy> {
    let plan = caller.plan.plan();
    let window = |name: &str, subject: &str| Policy::Window {
        name: name.to_owned(),
        subject: subject.to_owned(),
        limit: plan.requests,
        window_ms: plan.window_s * 1_000,
    };
    let in_flight = |subject: &str| Policy::InFlight {
        name: "in-flight".to_owned(),
        subject: subject.to_owned(),
        limit: plan.in_flight,
    };
    match &caller.kind {
        Kind::User => {
            vec![window(&format!("{}-requests", plan.id.as_str()), caller.id.as_str()), in_flight(caller.id.as_str())]
        }
        // A new browser starts with a full window of its own, so the network's is the tighter one then.
        Kind::Anonymous { network, .. } => vec![
            window("anonymous-network", network),
            window("anonymous-browser", caller.id.as_str()),
            in_flight(network),
        ],
    }
}

/// The budgets of one subject, in the periods around a time.
fn periods(name: &str, subject: &str, budget: &Budget, now_ms: i64) -> impl Iterator<Item = Policy> {
    let day = day_utc(now_ms);
    let month = day.get(..7).unwrap_or(&day).to_owned();
    let named = [("day", Period::Day, day, budget.day_nanousd), ("month", Period::Month, month, budget.month_nanousd)];
    let made = named.map(|(span, period, label, limit)| {
        let (starts_at_ms, resets_at_ms) = period_utc(period, now_ms);
        limit.map(|limit_nanousd| Policy::Budget {
            name: format!("{name}-{span}"),
            subject: format!("{subject}:{label}"),
            limit_nanousd,
            starts_at_ms,
            resets_at_ms,
        })
    });
    made.into_iter().flatten()
}
