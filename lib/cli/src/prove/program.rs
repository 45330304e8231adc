//! Finding and running the programs behind a run: PostgreSQL's and Redis's, as the distribution installs them.

use std::{
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
};

use tokio::process::Command;

/// A program on the path, or where system programs are.
pub(super) fn find(name: &str) -> Result<PathBuf, String> {
    #[expect(clippy::disallowed_methods, reason = "the system's own variable, and no setting of ours")]
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map(PathBuf::from);
    let folders = std::env::split_paths(&paths).chain(system);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| format!("{name} is missing: run `tests/packages system`, or give a URL of one that runs"))
}

/// One of PostgreSQL's programs: the newest version's, which are not on the path.
pub(super) fn find_postgres(name: &str) -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(_, file)| file.is_file())
        .collect();
    found.sort();
    found.pop().map_or_else(|| find(name), |(_, file)| Ok(file))
}

/// Whose a program's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// The caller's.
    Caller,
    /// The user `postgres`, if the caller is root: PostgreSQL refuses to run as root.
    Postgres,
}

/// A command that ends with us, as far as the system can see to that.
pub(super) fn command(program: &Path, whose: As) -> Command {
    let mut process = match find("setpriv") {
        Ok(setpriv) => {
            let mut process = Process::new(setpriv);
            if whose == As::Postgres && is_root() {
                process.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            }
            process.args(["--pdeathsig=KILL", "--"]).arg(program);
            process
        }
        Err(_) => Process::new(program),
    };
    process.stdin(Stdio::null());
    let mut command = Command::from(process);
    // Ctrl-C is ours to handle.
    command.process_group(0).kill_on_drop(true);
    command
}

/// Whether we are root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}
