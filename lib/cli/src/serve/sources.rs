//! Whether sources have changed: names, sizes and times of all files that functions are built from.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    time::SystemTime,
};

/// What functions are built from. The supervisor's own sources are below `lib/` too; cargo tells them apart.
const SOURCES: [&str; 4] = ["Cargo.toml", "Cargo.lock", "api", "lib"];

/// A number that changes with any source.
pub(super) fn fingerprint(root: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        visit(&root.join(source), &mut hasher);
    }
    hasher.finish()
}

fn visit(path: &Path, hasher: &mut DefaultHasher) {
    let Ok(meta) = path.metadata() else { return };
    if !meta.is_dir() {
        (path, meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)).hash(hasher);
        return;
    }
    let mut entries: Vec<_> = std::fs::read_dir(path).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if name != "target" && name != "node_modules" && !name.to_string_lossy().starts_with('.') {
            visit(&entry.path(), hasher);
        }
    }
}

/// A file as it is now: a new build gives another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl FileStamp {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = path.metadata()?;
        Ok(Self { modified: meta.modified()?, bytes: meta.len(), inode: meta.ino() })
    }
}
