//! From a byte to its line, for errors only.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The line, from 1, of the record that begins at byte `offset`; line ends before the record itself are skipped.
/// Where the file cannot be read, what could be counted.
pub(super) fn line_of(file: &File, offset: u64) -> u64 {
    let mut buffer = vec![0; 1 << 16];
    let (mut at, mut line) = (0u64, 1u64);
    loop {
        let read = match file.read_at(&mut buffer, at) {
            Ok(0) | Err(_) => return line,
            Ok(read) => read,
        };
        for byte in &buffer[..read] {
            if at >= offset && !matches!(byte, b'\r' | b'\n') {
                return line;
            }
            line += u64::from(*byte == b'\n');
            at += 1;
        }
    }
}
