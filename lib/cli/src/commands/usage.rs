//! `purser usage verify` and `purser usage rebuild`: budgets and usage hashes against the ledger.

use std::process::ExitCode;

use purser::{
    books::{Books, Reckoning},
    config::Config,
    ctx,
};

use super::{Arguments, Command, Failure};
use crate::Terminal;

pub(super) const COMMAND: Command = Command {
    name: "usage",
    about: "compare budgets and usage hashes with the ledger: usage verify, usage rebuild",
    help: "  verify     print what differs; exit code 1 if anything does\n  \
           rebuild    settle dead calls, bring in what waits, and put the ledger's figures in place of what differs\n  \
           --json     print JSON\n\n\
           Both ask the deployment's own variables (DATABASE_URL, REDIS_URL, ...) and are safe to run at any time.\n",
    hidden: false,
    run,
};

fn run(mut arguments: Arguments, terminal: Terminal) -> Result<ExitCode, Failure> {
    let is_json = arguments.flag("--json");
    let repairs = match arguments.command().as_deref() {
        Some("verify") => false,
        Some("rebuild") => true,
        _ => return Err(Failure::usage("say `usage verify` or `usage rebuild`")),
    };
    arguments.finish()?;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    let config: &'static Config = Box::leak(Box::new(Config::from_env().map_err(|error| failed(&error))?));
    let found = runtime.block_on(async {
        let books = ctx::books(config).map_err(|error| failed(&error))?;
        reckon(&books, repairs).await.map_err(|error| failed(&error))
    })?;
    if is_json {
        let text = serde_json::to_string_pretty(&found).map_err(|error| failed(&error))?;
        terminal.line(text);
    } else {
        print(&found, repairs, terminal);
    }
    let is_well = repairs || found.differences.is_empty();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn reckon(books: &Books, repairs: bool) -> Result<Reckoning, purser::Error> {
    if repairs {
        books.drain_outbox().await?;
        let now_ms = books.limiter.now_ms().await.map_err(purser::Error::internal)?;
        books.sweep_ledger(now_ms).await?;
    }
    books.reckon(0, repairs).await
}

fn print(found: &Reckoning, repairs: bool, terminal: Terminal) {
    for one in &found.differences {
        terminal.line(format_args!("{} {}: ledger {}, copy {}", one.of, one.field, one.ledger, one.copy));
    }
    let done = if repairs { ", put right from the ledger" } else { "" };
    terminal.line(format_args!(
        "compared {} budgets and hashes: {} differences{done}; {} calls on their way",
        found.compared,
        found.differences.len(),
        found.in_motion
    ));
}
