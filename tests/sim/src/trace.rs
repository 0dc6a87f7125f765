//! What happened, as lines: a digest of all of them, and the lines themselves where somebody wants to read them.

use std::fmt::{Arguments, Write};

/// What happened.
#[derive(Debug)]
pub struct Trace {
    // FNV-1a.
    digest: u64,
    line: String,
    lines: u64,
    // Prints each line.
    aloud: bool,
}

impl Trace {
    pub fn new(aloud: bool) -> Self {
        Self { digest: 0xcbf2_9ce4_8422_2325, line: String::new(), lines: 0, aloud }
    }

    /// Adds a line: when, at whom, what.
    pub fn note(&mut self, at_us: u64, what: Arguments<'_>) {
        self.line.clear();
        let (s, us) = (at_us / 1_000_000, at_us % 1_000_000);
        writeln!(self.line, "{s:4}.{us:06} {what}").expect("a string takes everything");
        for byte in self.line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        self.lines += 1;
        if self.aloud {
            print!("{}", self.line);
        }
    }

    /// Of all lines so far: of two equal runs it is the same.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }
}
