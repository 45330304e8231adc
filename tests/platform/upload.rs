use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use purser_tests::packages::{project_dir, succeeds, target_dir};

/// What `vercel deploy` would send of this project: the CLI works on it, never on the working tree. One test has it at
/// a time.
///
/// It stays where it is between runs, below the target folder, and only what changed is written: so its own builds, in
/// the folder beside it, stay fresh too.
pub(crate) struct Upload {
    pub(crate) folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Upload {
    pub(crate) fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = target_dir().join("platform/upload");
        let wanted: BTreeSet<PathBuf> = uploaded().into_iter().map(PathBuf::from).collect();
        for file in files(&folder).difference(&wanted) {
            fs::remove_file(folder.join(file)).unwrap();
        }
        for file in wanted {
            let (from, to) = (project_dir().join(&file), folder.join(&file));
            if fs::read(&to).ok() != Some(fs::read(&from).unwrap()) {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(from, to).unwrap();
            }
        }
        seed(&target_dir().join("debug"), &build_dir().join("debug"));
        Self { folder, _turn: turn }
    }

    /// Cargo, or what calls it, in the upload and with its build folder, and nothing of the environment of this test
    /// and of whatever deployment the developer has in the shell.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", build_dir());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            command.env_remove(name);
        }
        command.env("CARGO_TARGET_DIR", build_dir());
        for variable in purser::env::VARS {
            command.env_remove(variable.name);
        }
        command
    }
}

fn build_dir() -> PathBuf {
    target_dir().join("platform/build")
}

/// The files that git knows or would take, but for those of `.vercelignore`.
fn uploaded() -> Vec<String> {
    let list = |more: &[&str]| -> BTreeSet<String> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others"]).args(more).current_dir(project_dir());
        succeeds(&mut git).split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect()
    };
    let ignored = list(&["--ignored", "--exclude-from=.vercelignore"]);
    let is_sent = |file: &String| !ignored.contains(file) && project_dir().join(file).is_file();
    list(&["--exclude-standard"]).into_iter().filter(is_sent).collect()
}

/// Every file below a folder, relative to it.
pub(crate) fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

/// Gives a build folder the dependencies that this build has already compiled: cargo takes them as they are.
fn seed(from: &Path, to: &Path) {
    if to.exists() {
        return;
    }
    fs::create_dir_all(to.join("deps")).unwrap();
    let copy = |parts: &[PathBuf], to: &Path| succeeds(Command::new("cp").arg("-a").args(parts).arg(to));
    copy(&[from.join("build"), from.join(".fingerprint")], to);
    let compiled = fs::read_dir(from.join("deps")).unwrap().map(|entry| entry.unwrap().path());
    let is_library = |path: &PathBuf| {
        path.extension().is_some_and(|end| ["rlib", "rmeta", "so", "d"].contains(&&*end.to_string_lossy()))
    };
    copy(&compiled.filter(is_library).collect::<Vec<_>>(), &to.join("deps"));
}
