//! The client as a process, with a user's environment.

use serde_json::Value;
use std::process::Command;
use tfcoord_testkit::hadoop::Hadoop;
use tfcoord_testkit::lab::programs_dir;

pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// It ended with the code, and said on the error stream all of these.
    pub fn says(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{} {}", self.out, self.err);
        for part in parts {
            assert!(self.err.contains(part), "{part} is not in: {}", self.err);
        }
    }

    /// The JSON that it printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

/// As this user of the bed.
pub fn tfcoord(hadoop: &Hadoop, user: &str, arguments: &[&str]) -> Command {
    let program = programs_dir().join("tfcoord");
    assert!(program.exists(), "{} is missing: run `cargo build --workspace` first", program.display());
    let mut command = Command::new(program);
    command.args(arguments).envs(hadoop.environment(user)).env_remove("HADOOP_TOKEN_FILE_LOCATION");
    command
}

pub fn run(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
