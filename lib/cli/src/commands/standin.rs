//! `purser standin`: the stand-in Claude alone.

use std::process::ExitCode;

use super::{Arguments, Command, Failure};
use crate::{
    Terminal,
    serve::signals::Signals,
    standin::{Options, Standin},
};

pub(super) const COMMAND: Command = Command {
    name: "standin",
    about: "run the stand-in Claude alone, for any client of the Messages API",
    help: "  --port N     listen on 127.0.0.1:N; a free port if absent
  --key KEY    accept only this key; any key if absent
",
    hidden: false,
    run,
};

fn run(mut arguments: Arguments, terminal: Terminal) -> Result<ExitCode, Failure> {
    let port = arguments.parsed("--port", "a port number")?.unwrap_or(0);
    let key = arguments.value("--key")?.map(|key| key.to_string_lossy().into_owned());
    arguments.finish()?;
    let cannot = |error: std::io::Error| Failure::failed(format!("the stand-in cannot listen on port {port}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(cannot)?;
        let standin = Standin::start(Options { port, key }).map_err(cannot)?;
        terminal.line(format_args!("Claude's stand-in listens on {}", standin.base_url()));
        signals.next().await;
        Ok(ExitCode::SUCCESS)
    })
}
