//! The file systems that the user reaches, with the user's own environment; and what their failures mean for a command.

use crate::failure::{Code, Failure};
use crate::show::plain;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::Limits;
use tfcoord_fs::storage::{Error, FileSystem, Location, Problem};

/// For one answer of HDFS.
const ANSWER: Duration = Duration::from_secs(60);

/// Of an argument: an address, or a path from where this process is.
///
/// # Errors
/// It names no place.
pub fn location(text: &str) -> Result<Location, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::new(Code::File, format!("this process has no directory: {error}")))?;
    Location::parse(text, Some(&here.into())).map_err(|error| Failure::new(Code::File, plain(&error.to_string())))
}

/// The file system that `at` is in, which is tried again for `patience` where it does not answer.
///
/// # Errors
/// HDFS is not configured, or cannot be connected to.
pub fn system(at: &Location, patience: Duration) -> Result<Arc<dyn FileSystem>, Failure> {
    let limits = Limits { answer: ANSWER, broken: patience, safe_mode: patience };
    FileSystems::within(limits).get(at).map_err(|error| failure(&error))
}

/// How a command ends that met this.
pub fn failure(error: &Error) -> Failure {
    let remedy = error.problem.remedy();
    let text = error.to_string();
    let what = text.strip_suffix(remedy).and_then(|what| what.strip_suffix(": ")).unwrap_or(&text);
    Failure::new(code(&error.problem), plain(what)).help(remedy)
}

fn code(problem: &Problem) -> Code {
    match problem {
        Problem::NotConfigured { .. } | Problem::Exists | Problem::NotAFile | Problem::NotADirectory | Problem::Elsewhere => Code::File,
        Problem::Denied { .. } | Problem::Impersonation { .. } => Code::Authentication,
        Problem::Login { .. } | Problem::Token { .. } | Problem::TokenFile { .. } => Code::Authentication,
        problem if problem.is_transient() => Code::Unreachable,
        Problem::Undecided { .. } => Code::Unreachable,
        _ => Code::Job,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_and_what_helps() {
        let error = |problem| Error { operation: "list", location: "hdfs://nn/\u{1b}".into(), access: None, problem };
        let missing = failure(&error(Problem::Missing));
        assert_eq!(
            (missing.code, missing.message.as_str()),
            (Code::Job, "cannot list hdfs://nn/\u{fffd}: it is not there\n  help: check the path")
        );
        let denied = failure(&error(Problem::Denied { detail: "user=bob".into() }));
        assert!(denied.code == Code::Authentication && denied.message.contains("permission denied: user=bob\n  help: ask the owner"));
        assert_eq!(failure(&error(Problem::Refused { detail: "x".into() })).code, Code::Unreachable);
    }

    #[test]
    fn relative_paths_are_below_this_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(location("a/b").unwrap(), Location::Local(here.join("a/b")));
        assert_eq!(location("s3://a").unwrap_err().code, Code::File);
    }
}
