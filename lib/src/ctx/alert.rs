//! What the deployment's owner is told when Redis goes away, when it is back, and when a budget was overspent: one log
//! line, one POST.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    cache::Change,
    clock,
    config::{Config, Secret},
    limit::Overspent,
    net,
    observe::alarms::{self, Alarm, Work},
    store::Settlement,
};

/// How long the receiver may take.
const POST_MAX: Duration = Duration::from_secs(5);

/// Says that Redis went away or came back.
pub(super) fn tell(config: &'static Config, change: Change) {
    let line = match change {
        Change::Away { error } => json!({ "event": "degraded_in", "of": "limiter", "error": error.to_string() }),
        Change::Back { away_ms } => json!({ "event": "degraded_out", "of": "limiter", "away_ms": away_ms }),
    };
    raise(config, line);
}

/// Says that a call has brought a budget above its limit: it cost more than was held for it, or it ended after its hold
/// had run out and others had taken the room. The ledger has what it cost.
pub(super) fn tell_overspent(config: &'static Config, call: &Settlement, budget: &Overspent) {
    raise(
        config,
        json!({
            "event": "budget_overspent",
            "budget": budget.budget,
            "limit_nanousd": budget.limit_nanousd,
            "spent_nanousd": budget.spent_nanousd,
            "call_id": call.call_id,
            "cost_nanousd": call.cost_nanousd,
        }),
    );
}

fn raise(config: &'static Config, line: Value) {
    let line = with_time(line);
    let work = config.degraded.alert_webhook_url.as_ref().map(|url| -> Work { Box::pin(post(url, line.clone())) });
    alarms::raise(Alarm { line, work });
}

fn with_time(mut line: Value) -> Value {
    line["at_ms"] = clock::now_ms().into();
    line["version"] = crate::version().into();
    line
}

/// Nobody is told that nobody could be told: the log has the line.
async fn post(url: &'static Secret, mut body: Value) {
    // What chat services show.
    body["text"] = match body["event"].as_str() {
        Some("degraded_in") => {
            "Purser: Redis is away. Calls go on within local limits and budgets from the ledger.".into()
        }
        Some("budget_overspent") => {
            let budget = body["budget"].as_str().unwrap_or_default();
            format!("Purser: a call has brought the budget {budget} above its limit.").into()
        }
        _ => "Purser: Redis is back.".into(),
    };
    let request = net::http_client().post(url.expose()).header("content-type", "application/json");
    let _ = request.timeout(POST_MAX).body(body.to_string()).send().await;
}
