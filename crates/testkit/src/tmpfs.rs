//! Small file systems in memory, to be filled.

use crate::tools::skip;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own at a directory; taken away when dropped.
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Makes `dir`, and a file system of so many bytes there. Nothing, said loudly, where this user may not.
    ///
    /// # Panics
    /// If `dir` cannot be made, or `CI` is set and the user may not.
    pub fn new(dir: &Path, bytes: u64) -> Option<Self> {
        fs::create_dir_all(dir).expect("a directory can be made");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(dir).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir.to_owned())),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                skip(&format!("no file system of its own for {}: {why}", dir.display()));
                None
            }
            Err(error) => {
                skip(&format!("no file system of its own for {}: mount: {error}", dir.display()));
                None
            }
        }
    }

    /// Takes all the room there is.
    ///
    /// # Panics
    /// If no file can be made.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("a file can be made");
        // In smaller and smaller pieces, to the last byte.
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![7; size];
            while file.write_all(&piece).is_ok() {}
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// If it was not taken.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Those who still have files there keep them.
        let _gone = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}
