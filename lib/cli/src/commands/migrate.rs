//! `purser migrate`: brings the database's tables up to date, before a deployment that needs them.

use std::process::ExitCode;

use purser::{
    config, env,
    store::{PostgresOptions, Store},
};

use super::{Arguments, Command, Failure};
use crate::Terminal;

pub(super) const COMMAND: Command = Command {
    name: "migrate",
    about: "bring the tables of DATABASE_URL_UNPOOLED (else DATABASE_URL) up to date",
    help: "  Safe to run again, and from several places at once. SQLite files migrate by themselves.\n",
    hidden: false,
    run,
};

fn run(arguments: Arguments, terminal: Terminal) -> Result<ExitCode, Failure> {
    arguments.finish()?;
    // Migrations lock and run in one session: a pooler in between may break both.
    let url = env::first(&[&env::DATABASE_URL_UNPOOLED, &env::DATABASE_URL, &env::POSTGRES_URL])
        .ok_or_else(|| Failure::failed("DATABASE_URL is not set: there is nothing to migrate"))?;
    let authorities = config::authorities(&env::DATABASE_CA_CERT, env::get(&env::DATABASE_CA_CERT).as_deref())
        .map_err(|error| Failure::failed(error.to_string()))?;
    let store = Store::postgres(&url, PostgresOptions { authorities, ..PostgresOptions::default() })
        .map_err(|_| Failure::failed("DATABASE_URL is malformed: it must be postgres://USER:PASSWORD@HOST/DB"))?;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("the migration failed: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    let done = runtime.block_on(store.migrate()).map_err(|error| failed(&error))?;
    for name in &done {
        terminal.line(format_args!("applied {name}"));
    }
    terminal.line("the tables are up to date");
    Ok(ExitCode::SUCCESS)
}
