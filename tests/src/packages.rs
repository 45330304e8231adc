//! The real clients that the tests drive, and where a build puts things.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Installs a client with `tests/packages`, unless it is there, and gives its folder: the client's packages, and its
/// scripts beside them.
///
/// # Panics
/// Where it cannot be installed, with what the installer said.
pub fn installed(name: &str) -> PathBuf {
    let packages = target_dir().join("packages");
    let script = project_dir().join("tests/packages");
    succeeds(Command::new(script).arg(name).env("TEST_PACKAGES_DIR", &packages));
    packages.join(name)
}

/// The project's folder.
///
/// # Panics
/// Never: this package has a folder above it.
pub fn project_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Cargo's target folder of the build that this test belongs to.
///
/// # Panics
/// Where the test does not lie where cargo puts tests.
pub fn target_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// Runs a command to its end and gives what it said on standard output.
///
/// # Panics
/// Where it fails, with all that it said.
pub fn succeeds(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}\n{said}{}", String::from_utf8_lossy(&done.stderr));
    said
}
