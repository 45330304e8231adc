//! The command line. A new command is one file here and one line in [`COMMANDS`].

mod migrate;
mod options;
mod prove;
mod serve;
mod standin;
mod usage;

use std::{ffi::OsString, process::ExitCode};

use crate::Terminal;

pub(crate) use options::Arguments;

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// One line for the list.
    pub(crate) about: &'static str,
    /// What `--help` prints after it.
    pub(crate) help: &'static str,
    /// Not shown in the list: the program's own use.
    pub(crate) hidden: bool,
    pub(crate) run: fn(Arguments, Terminal) -> Result<ExitCode, Failure>,
}

const COMMANDS: &[Command] = &[
    serve::COMMAND,
    migrate::COMMAND,
    usage::COMMAND,
    prove::COMMAND,
    standin::COMMAND,
    crate::serve::wrapper::COMMAND,
];

/// Why a command stopped.
pub(crate) enum Failure {
    /// The command line does not fit: exit code 2.
    Usage(String),
    /// It could not do what it was asked for: exit code 1.
    Failed(String),
}

impl Failure {
    /// A command line that does not fit.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Something that could not be done.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }
}

/// Runs the command line, without the program's name. No command means `serve`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let terminal = Terminal::default();
    match dispatch(Arguments::new(arguments), terminal) {
        Ok(code) => code,
        Err(Failure::Usage(text)) => {
            terminal.error(text);
            terminal.error("see `purser --help`");
            ExitCode::from(2)
        }
        Err(Failure::Failed(text)) => {
            terminal.error(text);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut arguments: Arguments, terminal: Terminal) -> Result<ExitCode, Failure> {
    let command = match arguments.command() {
        None => &serve::COMMAND,
        Some(name) if name == "help" => return Ok(print_help(terminal)),
        Some(name) => COMMANDS
            .iter()
            .find(|command| command.name == name)
            .ok_or_else(|| Failure::usage(format!("there is no command `{name}`")))?,
    };
    if arguments.asks_for_help() {
        terminal.line(format_args!("purser {} - {}\n\n{}", command.name, command.about, command.help));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.flag("--version") {
        terminal.line(format_args!("purser {}", env!("CARGO_PKG_VERSION")));
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(arguments, terminal)
}

fn print_help(terminal: Terminal) -> ExitCode {
    terminal.line("Purser: the backend of a Claude-powered app, on one machine.\n");
    terminal.line("Usage: purser [COMMAND] [OPTIONS]\n\nCommands:");
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        terminal.line(format_args!("  {:<10} {}", command.name, command.about));
    }
    terminal
        .line(format_args!("\nOptions of serve, which is meant when no command is given:\n{}", serve::COMMAND.help));
    terminal.line("`purser COMMAND --help` says more about a command.");
    ExitCode::SUCCESS
}
