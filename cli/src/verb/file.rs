//! Reading a job file.

use crate::failure::{Code, Failure};
use crate::show::plain;
use std::io::Read;
use std::path::Path;
use tfcoord_types::job::{self, JobFile};

/// No job file of this version comes near it.
const BYTES_MAX: u64 = 1 << 20;

/// A job file that is well, as far as can be seen without its data.
#[derive(Debug)]
pub struct Checked {
    /// What it says, with absolute paths.
    pub job: JobFile,
    /// Its own absolute path.
    pub path: String,
    name: String,
    text: String,
}

impl Checked {
    /// What the coordinator found wrong with a field, with the field's place in this file.
    pub fn placed(&self, failure: Failure) -> Failure {
        let field = failure.message.split_once(": ").map(|(field, _)| field).filter(|field| is_field(field));
        match field.filter(|_| failure.code == Code::File).and_then(|field| job::place_of(&self.text, field)) {
            Some((line, column)) => Failure { message: format!("{}:{line}:{column}: {}", self.name, failure.message), ..failure },
            None => failure,
        }
    }
}

// Beside fields, problems begin with files.
fn is_field(text: &str) -> bool {
    let section = text.split(['.', '[']).next().unwrap_or_default();
    let sections = [
        "name",
        "model",
        "data",
        "train",
        "worker",
        "parameter_server",
        "output",
        "checkpoint",
        "service",
        "start_timeout",
        "lease_seconds",
        "orphan_grace_seconds",
    ];
    sections.contains(&section) && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c))
}

/// Reads and checks a job file and makes its paths absolute, as seen from its directory.
///
/// # Errors
/// All its problems, with exit code 2.
pub fn read(path: &Path) -> Result<Checked, Failure> {
    let name = path.display().to_string();
    let wrong = |what: String| Failure::new(Code::File, what);
    let text = text(path).map_err(|error| wrong(format!("{name}: {error}")))?;
    let mut job = job::parse(&name, &text).map_err(|problems| {
        let count = problems.problems.len();
        let of_them = if count > 1 { format!("{count} problems in {name}\n") } else { String::new() };
        wrong(format!("{of_them}{}", plain(&problems.to_string())))
    })?;
    let absolute = path.canonicalize().map_err(|error| wrong(format!("{name}: {error}")))?;
    let base = absolute.parent().and_then(Path::to_str);
    let base = base.ok_or_else(|| wrong(format!("{name}: the path of its directory is not UTF-8")).help("move it to another directory"))?;
    job.resolve(base.trim_end_matches('/'));
    Ok(Checked { job, path: absolute.display().to_string(), name, text })
}

fn text(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("it has more than {BYTES_MAX} bytes, which no job file needs"));
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = r#"{
  "name": "m", "model": {"layers": [{"dense": {"units": 1}}], "loss": "mse"},
  "data": {"format": "csv", "train": {"files": "a.csv"}, "label": "y"},
  "train": {"batch_size": 32, "epochs": 1, "optimizer": {"sgd": {"learning_rate": 0.1}}},
  "output": {"dir": "../out"}, "checkpoint": {"dir": "../kept"}
}"#;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.json");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn error(bytes: &[u8]) -> String {
        let (_dir, path) = written(bytes);
        let failure = read(&path).unwrap_err();
        assert_eq!(failure.code, Code::File);
        failure.message
    }

    #[test]
    fn paths_are_seen_from_the_files_directory() {
        let (dir, path) = written(JOB.as_bytes());
        let read = read(&path).unwrap();
        let base = dir.path().canonicalize().unwrap();
        assert_eq!(read.job.output.dir, format!("{}/../out", base.display()));
        assert_eq!(read.path, format!("{}/job.json", base.display()));
    }

    #[test]
    fn problems_are_told_with_their_places() {
        let text = error(JOB.replace("\"epochs\": 1", "\"epochs\": 0").replace("\"m\"", "\"M\"").as_bytes());
        assert!(text.starts_with("2 problems in "), "{text}");
        assert!(text.contains("job.json:2:3: name:") && text.contains("job.json:4:") && text.contains("help:"), "{text}");
    }

    #[test]
    fn what_the_coordinator_finds_is_placed_too() {
        let (_dir, path) = written(JOB.as_bytes());
        let read = read(&path).unwrap();
        let placed = |code, text: &str| read.placed(Failure::new(code, text)).message.replace(&read.name, "job.json");
        assert_eq!(
            placed(Code::File, "data.train.files: a.csv is not there\n  help: x"),
            "job.json:3:39: data.train.files: a.csv is not there\n  help: x"
        );
        assert_eq!(placed(Code::File, "train.micro_batches: 2 records"), "job.json:4:3: train.micro_batches: 2 records");
        assert_eq!(placed(Code::File, "checkpoint.dir: cannot make x"), "job.json:5:47: checkpoint.dir: cannot make x");
        for text in ["data.csv: is empty", "/data/a.csv:3: no number", "no colon"] {
            assert!(placed(Code::File, text).ends_with(text));
        }
        assert_eq!(placed(Code::Engine, "data.train.files: x"), "data.train.files: x");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(error(b"{\xff").contains("not UTF-8 from byte 1"));
        assert!(error(&vec![b' '; 1 << 21]).contains("more than"));
        assert!(read(Path::new("/nowhere/job.json")).unwrap_err().message.contains("no such file"));
        assert!(read(Path::new("/")).is_err());
    }
}
