//! `purser run-function PARENT BIN`: becomes the function, after asking the kernel to end it with the supervisor.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command as Process, ExitCode},
};

use crate::{
    Terminal,
    commands::{Arguments, Command, Failure},
};

const NAME: &str = "run-function";

pub(crate) const COMMAND: Command = Command {
    name: NAME,
    about: "become a function that ends with its parent",
    help: "  PARENT BIN   the supervisor's process id, and the binary\n",
    hidden: true,
    run,
};

/// The command that starts a function.
#[cfg(target_os = "linux")]
pub(super) fn process(bin: &Path) -> Process {
    // Our own image, even if the file was replaced meanwhile.
    let mut process = Process::new("/proc/self/exe");
    process.arg(NAME).arg(std::process::id().to_string()).arg(bin);
    process
}

/// The command that starts a function. Elsewhere than on Linux only an orderly end of ours ends it.
#[cfg(not(target_os = "linux"))]
pub(super) fn process(bin: &Path) -> Process {
    Process::new(bin)
}

fn run(mut arguments: Arguments, _terminal: Terminal) -> Result<ExitCode, Failure> {
    let parent = arguments.next().and_then(|pid| pid.to_str()?.parse::<i32>().ok());
    let (Some(parent), Some(bin)) = (parent, arguments.next()) else {
        return Err(Failure::usage("run-function takes a process id and a binary"));
    };
    arguments.finish()?;
    #[cfg(target_os = "linux")]
    {
        let asked = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        asked.map_err(|error| Failure::failed(format!("cannot follow the supervisor: {error}")))?;
    }
    // It may have died before we asked.
    if rustix::process::getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        return Ok(ExitCode::FAILURE);
    }
    let error = Process::new(&bin).exec();
    Err(Failure::failed(format!("{}: {error}", bin.to_string_lossy())))
}
