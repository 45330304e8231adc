use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use purser_tests::{function, services};

/// A copy of the project's own files, so that the CLI never touches the working tree. One at a time: the CLI's builds
/// share a target folder, and two cores.
pub(crate) struct Copy {
    pub(crate) folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Copy {
    pub(crate) fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let root = root();
        let folder = std::env::temp_dir().join(services::unique("vercel"));
        std::fs::create_dir_all(&folder).unwrap();
        let list = Command::new("git")
            .args(["ls-files", "-z", "-co", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .unwrap();
        assert!(list.status.success(), "the project's files are those that git knows");
        for file in String::from_utf8(list.stdout).unwrap().split('\0').filter(|file| !file.is_empty()) {
            let to = folder.join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(root.join(file), to).unwrap();
        }
        // Kept between runs beside the ordinary builds.
        let target = function::binary("purser").parent().unwrap().parent().unwrap().join("vercel");
        std::fs::create_dir_all(&target).unwrap();
        std::os::unix::fs::symlink(target, folder.join("target")).unwrap();
        Self { folder, _turn: turn }
    }

    /// The CLI with a command.
    pub(crate) fn vercel(&self) -> Command {
        let cli = root().join("tests/platform/vercel-cli");
        if !cli.join("node_modules/vercel").exists() {
            // Not `npm ci`: that refuses a lock without the optional packages of other platforms.
            let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
            assert!(Command::new("npm").args(install).current_dir(&cli).status().unwrap().success());
        }
        let mut command = Command::new("node");
        command.arg(cli.join("run.mjs")).current_dir(&self.folder);
        // Whatever deployment the developer has in the shell is not the test's.
        for variable in purser::env::VARS {
            command.env_remove(variable.name);
        }
        command
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
