//! Building functions: all at the start, and again on the first request after a source has changed.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Instant,
};

use serde::Deserialize;
use tokio::{process::Command, sync::Mutex};

use super::{Options, environment, project::Project, sources};
use crate::Terminal;

/// Knows how the functions are built, and from which state of the sources they were.
#[derive(Debug)]
pub(crate) struct Builder {
    root: PathBuf,
    bin_dir: PathBuf,
    /// Nothing: build never.
    plan: Option<Plan>,
    terminal: Terminal,
}

#[derive(Debug)]
struct Plan {
    arguments: Vec<String>,
    last: Mutex<Built>,
}

/// The sources of the latest build, and whether it went well.
#[derive(Clone, Copy, Debug)]
struct Built {
    fingerprint: u64,
    good: bool,
}

/// The part of `cargo metadata` that is needed.
#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

impl Builder {
    /// Finds the binaries' folder and builds them, unless told not to.
    pub(crate) async fn prepare(options: &Options, project: &Project, terminal: Terminal) -> Result<Self, String> {
        let profile = if options.release { "release" } else { "debug" };
        let bin_dir = match &options.bin_dir {
            Some(dir) => dir.clone(),
            None => target_directory(&options.root).await?.join(profile),
        };
        let mut builder = Self { root: options.root.clone(), bin_dir, plan: None, terminal };
        if !options.build {
            return Ok(builder);
        }
        let names = project.functions.iter().map(|spec| spec.name.clone());
        let mut arguments = vec!["build".to_owned()];
        arguments.extend(options.release.then(|| "--release".to_owned()));
        arguments.extend(names.flat_map(|name| ["--bin".to_owned(), name]));
        let fingerprint = sources::fingerprint(&options.root);
        let missing = project.functions.iter().filter(|spec| !builder.bin_dir.join(&spec.name).exists()).count();
        let count = project.functions.len();
        terminal.line(match missing {
            0 => "building what has changed".to_owned(),
            _ => format!("building {count} function(s); the first time this takes some minutes"),
        });
        let started = Instant::now();
        let plan = Plan { arguments, last: Mutex::new(Built { fingerprint, good: true }) };
        match plan.cargo(&options.root).await {
            Ok(status) if status.success() => {}
            Ok(_) => return Err("the functions do not build; what cargo says is above".to_owned()),
            Err(error) => return Err(format!("cargo cannot be started: {error}")),
        }
        terminal.line(format_args!("built in {:.1} s", started.elapsed().as_secs_f32()));
        builder.plan = Some(plan);
        Ok(builder)
    }

    pub(crate) fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Rebuilds if a source has changed. False means that what is there does not build.
    pub(super) async fn refresh(&self) -> bool {
        let Some(plan) = &self.plan else { return true };
        let root = self.root.clone();
        let fingerprint = tokio::task::spawn_blocking(move || sources::fingerprint(&root)).await;
        let Ok(fingerprint) = fingerprint else { return true };
        let mut last = plan.last.lock().await;
        if last.fingerprint == fingerprint {
            return last.good;
        }
        self.terminal.line("sources have changed: building");
        let good = plan.cargo(&self.root).await.is_ok_and(|status| status.success());
        if !good {
            self.terminal.error("the functions do not build; requests are answered with 500 until they do");
        }
        *last = Built { fingerprint, good };
        good
    }
}

impl Plan {
    /// Cargo writes its progress and its complaints to the terminal itself.
    async fn cargo(&self, root: &Path) -> std::io::Result<ExitStatus> {
        cargo(root).args(&self.arguments).stdin(Stdio::null()).status().await
    }
}

/// With the user's own environment: what is in `.env` is for functions, not for build scripts.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).kill_on_drop(true);
    for name in environment::dropped() {
        command.env_remove(name);
    }
    command
}

async fn target_directory(root: &Path) -> Result<PathBuf, String> {
    let mut command = cargo(root);
    command.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
    let output = command.output().await.map_err(|error| format!("cargo cannot be started: {error}"))?;
    let metadata: Option<Metadata> = serde_json::from_slice(&output.stdout).ok();
    metadata.map(|metadata| metadata.target_directory).ok_or_else(|| "cargo metadata fails; see above".to_owned())
}
