//! From a byte to its line, for errors only.

use crate::plain::Plain;
use std::io::Read;

/// The line, from 1, of the record that begins at byte `offset`; line ends before the record itself are skipped.
/// Where the file cannot be read, what could be counted.
pub(super) fn line_of(plain: &Plain, offset: u64) -> u64 {
    let mut buffer = vec![0; 1 << 16];
    let Ok(mut bytes) = plain.in_order(0) else { return 1 };
    let (mut at, mut line) = (0u64, 1u64);
    loop {
        let read = match bytes.read(&mut buffer) {
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
