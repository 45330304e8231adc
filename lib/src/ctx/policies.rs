//! Every policy that a call of a caller must fit.

use crate::{
    auth::{Caller, Kind},
    books::{callers_budgets, shared_budgets},
    config::Config,
    limit::Policy,
};

/// A caller's policies around a time: request windows, slots, and the budgets of the caller, the plan and the deployment.
pub(super) fn policies(caller: &Caller, config: &Config, now_ms: i64) -> Vec<Policy> {
    let mut policies = calls(caller);
    policies.extend(callers_budgets(&config.budgets, caller.plan, caller.subject(), now_ms));
    policies.extend(shared_budgets(&config.budgets, caller.plan, now_ms));
    policies
}

/// Whether a policy is the caller's own: what others spend is nobody else's business.
pub(super) fn is_callers_own(policy: &str) -> bool {
    !policy.starts_with("plan-") && !policy.starts_with("deployment-")
}

/// A caller's request windows.
pub(super) fn windows(caller: &Caller) -> Vec<Policy> {
    let mut policies = calls(caller);
    policies.retain(|policy| matches!(policy, Policy::Window { .. }));
    policies
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
