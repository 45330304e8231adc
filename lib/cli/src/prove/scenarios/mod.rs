//! What can go wrong, one scenario a file, named after what it proves.

mod chats_on_a_small_budget;
mod claude_breaks_off_at_every_event;
mod clients_leave_at_every_event;
mod clocks_apart;
mod dead_calls_are_found_without_cron;
mod everything_at_once;
mod long_answers_on_a_small_budget;
mod nearly_spent_budget;
mod nearly_spent_user_budgets;
mod outage;
mod postgres_crashes;
mod processes_are_killed;
mod processes_are_told_to_stop;
mod redis_hangs;
mod redis_is_emptied;
mod redis_stops;
mod settled_twice;

use std::pin::Pin;

use super::{findings::Findings, stage::Stage};

type Run = for<'s> fn(&'s Stage) -> Pin<Box<dyn Future<Output = Result<Findings, String>> + 's>>;

/// One scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) run: Run,
}

/// All of them, in the order of a run.
pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "nearly spent budget", run: |stage| Box::pin(nearly_spent_budget::run(stage)) },
    Scenario { name: "nearly spent users", run: |stage| Box::pin(nearly_spent_user_budgets::run(stage)) },
    Scenario { name: "long answers", run: |stage| Box::pin(long_answers_on_a_small_budget::run(stage)) },
    Scenario { name: "growing chats", run: |stage| Box::pin(chats_on_a_small_budget::run(stage)) },
    Scenario { name: "clients leave", run: |stage| Box::pin(clients_leave_at_every_event::run(stage)) },
    Scenario { name: "Claude breaks off", run: |stage| Box::pin(claude_breaks_off_at_every_event::run(stage)) },
    Scenario { name: "processes killed", run: |stage| Box::pin(processes_are_killed::run(stage)) },
    Scenario { name: "dead without cron", run: |stage| Box::pin(dead_calls_are_found_without_cron::run(stage)) },
    Scenario { name: "processes told to stop", run: |stage| Box::pin(processes_are_told_to_stop::run(stage)) },
    Scenario { name: "settled twice", run: |stage| Box::pin(settled_twice::run(stage)) },
    Scenario { name: "Redis stops", run: |stage| Box::pin(redis_stops::run(stage)) },
    Scenario { name: "Redis hangs", run: |stage| Box::pin(redis_hangs::run(stage)) },
    Scenario { name: "Redis emptied", run: |stage| Box::pin(redis_is_emptied::run(stage)) },
    Scenario { name: "Postgres crashes", run: |stage| Box::pin(postgres_crashes::run(stage)) },
    Scenario { name: "clocks apart", run: |stage| Box::pin(clocks_apart::run(stage)) },
    Scenario { name: "everything at once", run: |stage| Box::pin(everything_at_once::run(stage)) },
];
