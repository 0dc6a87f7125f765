//! The last lines of a log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const LINES_MAX: usize = 20;
const LINE_CHARS_MAX: usize = 400;
const BYTES_MAX: u64 = 16 << 10;

/// The last lines of the file, the oldest first; none where it cannot be read.
pub(super) fn last_lines(path: &Path) -> Vec<String> {
    let bytes = last_bytes(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LINES_MAX);
    lines[from..].iter().map(|line| line.chars().take(LINE_CHARS_MAX).collect()).collect()
}

fn last_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_and_long_ones_are_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let text: String = (0..3000).map(|n| format!("line {n}\n\n")).collect();
        std::fs::write(&path, text + &"x".repeat(1000)).unwrap();
        let lines = last_lines(&path);
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].len()), (20, "line 2981", LINE_CHARS_MAX));
        assert!(last_lines(&dir.path().join("none")).is_empty());
    }
}
