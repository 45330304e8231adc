//! `purser serve`: the whole backend on one machine.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{Arguments, Command, Failure};
use crate::{Terminal, serve};

pub(super) const COMMAND: Command = Command {
    name: "serve",
    about: "run the whole backend: functions, page, and a stand-in Claude if there is no key",
    help: "  --port N       listen on 127.0.0.1:N; PORT, else 3000, if absent; 0 takes a free one
  --no-build     run the functions as they are
  --release      build and run optimised functions
  --root DIR     the project; the nearest folder upwards with a vercel.json if absent
  --bin-dir DIR  where the functions' binaries are; cargo's target folder if absent
",
    hidden: false,
    run,
};

fn run(mut arguments: Arguments, terminal: Terminal) -> Result<ExitCode, Failure> {
    let port = arguments.parsed("--port", "a port number")?;
    let build = !arguments.flag("--no-build");
    let release = arguments.flag("--release");
    let (root, bin_dir) = project(&mut arguments)?;
    arguments.finish()?;
    // One thread: a child's parent-death signal follows the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let options = serve::Options { root, port, build, release, bin_dir };
    let ended = runtime.block_on(serve::run(options, terminal));
    ended.map(ExitCode::from).map_err(Failure::Failed)
}

/// `--root` and `--bin-dir`: the project's folder, and where its binaries are if not in cargo's.
pub(super) fn project(arguments: &mut Arguments) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    let root = arguments.value("--root")?.map(PathBuf::from);
    let bin_dir = arguments.value("--bin-dir")?.map(PathBuf::from);
    let here = std::env::current_dir().map_err(|error| Failure::failed(format!("no current folder: {error}")))?;
    let root = match root {
        Some(root) => root.canonicalize().map_err(|error| Failure::failed(format!("{}: {error}", root.display())))?,
        None => project_above(&here).ok_or_else(|| {
            Failure::failed("there is no vercel.json here or above: run this inside the project, or give --root")
        })?,
    };
    Ok((root, bin_dir.map(|dir| here.join(dir))))
}

fn project_above(here: &Path) -> Option<PathBuf> {
    here.ancestors().find(|folder| folder.join("vercel.json").is_file()).map(Path::to_owned)
}
