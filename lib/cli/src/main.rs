//! `purser`: run the backend on one machine.

fn main() -> std::process::ExitCode {
    purser_cli::commands::run(std::env::args_os().skip(1))
}
