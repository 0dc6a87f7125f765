//! Looking for secrets where none may be.

use base64::prelude::{BASE64_STANDARD, Engine};
use std::path::Path;
use tfcoord_testkit::processes::with_arguments;

/// Secrets, each in the forms in which somebody might write it down.
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    pub fn new(secrets: &[Vec<u8>]) -> Self {
        let forms = |secret: &Vec<u8>| {
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            [secret.clone(), hex.to_uppercase().into_bytes(), hex.into_bytes(), BASE64_STANDARD.encode(secret).into_bytes()]
        };
        Self(secrets.iter().flat_map(forms).collect())
    }

    pub fn are_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|secret| bytes.windows(secret.len()).any(|window| window == secret))
    }

    /// Files below `dir` that hold one, but for those named `but`.
    pub fn files(&self, dir: &Path, but: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                found.extend(self.files(&path, but));
            } else if entry.file_type().unwrap().is_file()
                && entry.file_name() != but
                && self.are_in(&std::fs::read(&path).unwrap_or_default())
            {
                found.push(path.display().to_string());
            }
        }
        found
    }

    /// Processes of `dir` with one in their arguments or environment.
    pub fn processes(&self, dir: &Path) -> Vec<String> {
        let here = dir.display().to_string();
        let mut found = Vec::new();
        let mut seen = 0;
        for process in
            with_arguments(&[]).into_iter().filter(|process| process.arguments.iter().any(|argument| argument.starts_with(&here)))
        {
            let read = |name: &str| std::fs::read(format!("/proc/{}/{name}", process.pid)).unwrap_or_default();
            seen += 1;
            if self.are_in(&read("cmdline")) || self.are_in(&read("environ")) {
                found.push(process.arguments.join(" "));
            }
        }
        assert!(seen > 0, "no process of {here}");
        found
    }
}
