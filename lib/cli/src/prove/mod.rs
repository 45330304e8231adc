//! `purser prove`: everything that can go wrong, and afterwards the account of it.
//!
//! The real function binaries run against a private Postgres and Redis and the stand-in for Claude, which keeps an
//! exact bill. Each of the [`scenarios`] has a deployment of its own, in which calls are made and things break; then
//! [`audit`] compares Claude's bill with the ledger, the budgets and Redis. What a seed decides it decides again.

mod audit;
mod backing;
mod coming;
mod counters;
mod deployment;
mod dice;
mod errand;
mod findings;
mod folder;
mod ledger;
mod pairing;
mod postgres;
mod process;
mod program;
mod progress;
mod recovery;
mod redis;
mod report;
mod scenarios;
mod stage;
mod token;
mod witness;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::{
    Terminal,
    serve::{self, Sockets, build::Builder, lines::Lines, project::Project, signals::Signals},
};
use backing::Backing;
use findings::Findings;
use folder::Folder;
use progress::Progress;
use report::{Report, Row};
use scenarios::{ALL, Scenario};
use stage::Stage;

/// How to prove.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How the functions are built and where they are.
    pub(crate) serve: serve::Options,
    pub(crate) seed: u64,
    pub(crate) is_short: bool,
    /// Rounds of all scenarios for so long.
    pub(crate) lasts: Option<Duration>,
    /// Only scenarios whose name has this in it.
    pub(crate) only: Option<String>,
    pub(crate) is_json: bool,
    pub(crate) database_url: Option<String>,
    pub(crate) redis_url: Option<String>,
    /// Where the functions' log lines go, if anywhere.
    pub(crate) log: Option<PathBuf>,
    /// The protection that is taken away.
    pub(crate) sabotage: Option<String>,
}

/// Runs the scenarios and prints what they found: 0 where all is zero that must be, 1 where it is not, 130 where it
/// was interrupted.
///
/// # Errors
/// A sentence for the terminal: something that the run needs is not there.
pub(crate) async fn run(options: Options, terminal: Terminal) -> Result<u8, String> {
    let mut signals = Signals::new().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let report = tokio::select! {
        report = prove(&options, terminal) => report?,
        () = signals.next() => return Ok(130),
    };
    match options.is_json {
        true => Terminal::default().line(report.json()),
        false => Terminal::default().line(report.table()),
    }
    Ok(u8::from(!report.is_zero()))
}

async fn prove(options: &Options, terminal: Terminal) -> Result<Report, String> {
    let chosen: Vec<&Scenario> = ALL
        .iter()
        .filter(|scenario| options.only.as_ref().is_none_or(|part| scenario.name.contains(part.as_str())))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        return Err(format!("no scenario has that in its name; there are: {}", names.join(", ")));
    }
    let project = Project::read(&options.serve.root)?;
    let builder = Builder::prepare(&options.serve, &project, terminal).await?;
    let (folder, sockets) = (Folder::create()?, Sockets::create()?);
    let from = Instant::now();
    let backing = Backing::start(&folder, options.database_url.clone(), options.redis_url.clone()).await?;
    let mut stage = Stage {
        backing,
        root: options.serve.root.clone(),
        bin_dir: builder.bin_dir().to_owned(),
        functions: project.functions.iter().map(|function| function.name.clone()).collect(),
        sockets: sockets.path().to_owned(),
        lines: lines(options)?,
        seed: options.seed,
        is_short: options.is_short,
        is_release: options.serve.release,
        sabotage: options.sabotage.clone(),
    };
    let rows = chosen.iter().map(|scenario| Row { name: scenario.name, rounds: 0, findings: Findings::default() });
    let mut report = Report { seed: options.seed, seconds: 0, scenarios: rows.collect() };
    let mut progress = Progress::new(chosen.len(), options.lasts);
    loop {
        for (scenario, row) in chosen.iter().zip(&mut report.scenarios) {
            progress.begin(scenario.name);
            let found = match (scenario.run)(&stage).await {
                Ok(found) => found,
                Err(why) => {
                    stage.backing.mend().await?;
                    failed(why)
                }
            };
            row.findings.add(&found);
            row.findings.skipped = found.skipped;
            row.rounds += 1;
            progress.end();
        }
        report.seconds = from.elapsed().as_secs();
        if options.lasts.is_none_or(|lasts| from.elapsed() >= lasts) {
            return Ok(report);
        }
        stage.seed = stage.seed.wrapping_add(1);
    }
}

/// A scenario that could not be finished proves nothing.
fn failed(why: String) -> Findings {
    Findings { faults: vec![why], ..Findings::default() }
}

fn lines(options: &Options) -> Result<Lines, String> {
    let Some(path) = &options.log else { return Ok(Lines::Dropped) };
    let file = std::fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Lines::File(Arc::new(Mutex::new(file))))
}
