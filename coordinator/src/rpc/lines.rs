//! Bytes to lines: bounded, whatever a task prints.

/// Longer lines are cut.
pub(super) const LINE_BYTES_MAX: usize = 4096;

/// Cuts bytes that come piece by piece into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    // The rest of the line is left out.
    cut: bool,
}

impl Lines {
    /// The lines that `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = LINE_BYTES_MAX - self.partial.len();
            self.cut |= text.len() > room;
            self.partial.extend_from_slice(&text[..text.len().min(room)]);
            if complete {
                lines.extend(self.finish(true));
            }
        }
        lines
    }

    /// What is left when nothing more comes.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.finish(false)
    }

    fn finish(&mut self, complete: bool) -> Option<String> {
        let cut = std::mem::take(&mut self.cut);
        let bytes = std::mem::take(&mut self.partial);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        let mut line = String::from_utf8_lossy(bytes).into_owned();
        if cut {
            line.push('…');
        }
        (complete || !line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_come() {
        let text = b"one\n\ntwo\r\n\xff three";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut all: Vec<String> = text.chunks(size).flat_map(|bytes| lines.push(bytes)).collect();
            all.extend(lines.rest());
            assert_eq!(all, ["one", "", "two", "\u{fffd} three"]);
            assert_eq!(lines.rest(), None);
        }
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 10_000]).is_empty());
        }
        assert_eq!(lines.partial.capacity().next_power_of_two(), LINE_BYTES_MAX);
        let line = &lines.push(b"\nnext\n")[..];
        assert_eq!((line[0].len(), line[1].as_str()), (LINE_BYTES_MAX + "…".len(), "next"));
    }
}
