//! `purser prove`: what breaks, and what the books say afterwards.

use std::{process::ExitCode, time::Duration};

use purser::clock;

use super::{Arguments, Command, Failure, serve};
use crate::{Terminal, prove, serve::Options};

pub(super) const COMMAND: Command = Command {
    name: "prove",
    about: "break everything on purpose, and compare the ledger with Claude's own bill",
    help: "  --seed N            what chance decides; printed with the table, so that a run can be repeated
  --short             a smaller run, of some seconds
  --minutes N         rounds of all scenarios for so long, each with the next seed
  --only NAME         only the scenarios whose name has this in it
  --json              the figures as JSON
  --database-url URL  this Postgres instead of one of its own, in schemas of its own
  --redis-url URL     this Redis instead of one of its own
  --log FILE          where the functions' log lines go
  --no-build, --release, --root DIR, --bin-dir DIR   as for serve

  Exits with 0 only if every figure is zero that must be.
",
    hidden: false,
    run,
};

fn run(mut arguments: Arguments, terminal: Terminal) -> Result<ExitCode, Failure> {
    let text = |value: Option<std::ffi::OsString>| value.map(|value| value.to_string_lossy().into_owned());
    let seed = arguments.parsed("--seed", "a number")?;
    let minutes: Option<u64> = arguments.parsed("--minutes", "a number of minutes")?;
    let (is_short, is_json) = (arguments.flag("--short"), arguments.flag("--json"));
    let (build, release) = (!arguments.flag("--no-build"), arguments.flag("--release"));
    let only = text(arguments.value("--only")?);
    let database_url = text(arguments.value("--database-url")?);
    let redis_url = text(arguments.value("--redis-url")?);
    let log = arguments.value("--log")?.map(Into::into);
    // For the tests of the prover itself: functions of debug builds listen to it.
    let sabotage = text(arguments.value("--sabotage")?);
    let (root, bin_dir) = serve::project(&mut arguments)?;
    arguments.finish()?;
    let options = prove::Options {
        serve: Options { root, port: None, build, release, bin_dir },
        seed: seed.unwrap_or_else(|| clock::now_ms().unsigned_abs() % 1_000_000),
        is_short,
        lasts: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        only,
        is_json,
        database_url,
        redis_url,
        log,
        sabotage,
    };
    let terminal = if is_json { terminal.keep_out_free() } else { terminal };
    // One thread: a child's parent-death signal follows the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(prove::run(options, terminal));
    ended.map(ExitCode::from).map_err(Failure::Failed)
}
