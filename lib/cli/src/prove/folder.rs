//! The folder of a run, removed at its end.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use purser::ids;

/// A temporary folder.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn create() -> Result<Self, String> {
        let id = ids::new_id();
        let path = std::env::temp_dir().join(format!("purser-prove-{}", id.rsplit('-').next().unwrap_or(&id)));
        make(&path, 0o711)?;
        Ok(Self(path))
    }

    /// A folder inside that another user's process may write to; nobody can list what stands above it.
    pub(super) fn shared(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        make(&path, 0o777)?;
        Ok(path)
    }
}

fn make(path: &Path, mode: u32) -> Result<(), String> {
    // The mode of a new folder is cut by the umask, so it is set afterwards.
    let made = std::fs::create_dir(path);
    let made = made.and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)));
    made.map_err(|error| format!("{}: {error}", path.display()))
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
