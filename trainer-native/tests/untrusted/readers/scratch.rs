//! Files for readers that want a path.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A folder of this thread, in memory where the system has such a place.
pub fn folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let made = folder.get_or_insert_with(|| TempDir::new_in(place).unwrap());
        made.path().to_path_buf()
    })
}

/// The bytes as a file of that name, in the place of an earlier one.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The bytes as a file whose name no other has had.
pub fn new_file(ending: &str, bytes: &[u8]) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    file(&format!("{}.{ending}", COUNT.fetch_add(1, Ordering::Relaxed)), bytes)
}
