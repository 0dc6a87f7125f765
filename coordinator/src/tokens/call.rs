//! One step with a job's tokens: the child process that does it, and what it says.

use super::dates::Dates;
use super::program::Action;
use crate::state_dir::{self, HadoopDir};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tfcoord_fs::storage::Problem;
use tfcoord_launch::local::passed;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// A step takes this long at most: Kerberos' own library waits for KDCs that do not answer.
const WITHIN: Duration = Duration::from_secs(120);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// What the child is called in a list of processes.
const NAME: &str = "tfcoord-tokens";
/// Where the system's own Kerberos configuration is.
const KRB5_CONF_USUAL: &str = "/etc/krb5.conf";
/// What Kerberos does is written to it in the job's folder, where the job file asks for it.
const TRACE: &str = "kerberos.log";
/// Which authorities are believed where NameNodes are called by `https://`.
const AUTHORITIES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/// The field that says how NameNodes are called.
const CALLS: &str = "service.hdfs.calls";

/// A step that failed: place, cause and remedy, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// For people.
    pub text: String,
    /// The field of the job file that is to be changed, where it is one.
    pub field: Option<String>,
    /// Whether the NameNode does not know the tokens any more, so that new ones are needed.
    pub lost: bool,
}

impl Failure {
    /// That says this.
    pub fn of(text: String) -> Self {
        Self { text, field: None, lost: false }
    }

    // By a NameNode.
    fn refused(class: &str, message: &str, text: String) -> Self {
        match class {
            "AuthorizationException" if message.contains("impersonate") => Self::at("proxy_user", text),
            "InvalidToken" => Self { lost: true, ..Self::of(text) },
            _ => Self::of(text),
        }
    }

    fn at(field: &str, text: String) -> Self {
        Self { field: Some(format!("service.security.kerberos.{field}")), ..Self::of(text) }
    }
}

impl From<tfcoord_kerberos::Error> for Failure {
    fn from(error: tfcoord_kerberos::Error) -> Self {
        use tfcoord_kerberos::Error as E;
        let text = error.to_string();
        match error {
            E::KeytabUnreadable { .. } | E::KeytabMalformed { .. } | E::NotInKeytab { .. } | E::KeyRejected { .. } => {
                Self::at("keytab_secret", text)
            }
            E::Principal { .. } | E::UnknownClient { .. } | E::ClientRevoked { .. } => Self::at("primary", text),
            _ => Self::of(text),
        }
    }
}

impl From<tfcoord_hadoop_rpc::Error> for Failure {
    fn from(error: tfcoord_hadoop_rpc::Error) -> Self {
        use tfcoord_hadoop_rpc::Error as E;
        let text = error.to_string();
        match error {
            E::Refused { class, message, .. } => Self::refused(&class, &message, text),
            E::Kerberos { cause, .. } => Self { text, ..Self::from(cause) },
            _ => Self::of(text),
        }
    }
}

impl From<tfcoord_webhdfs::Error> for Failure {
    fn from(error: tfcoord_webhdfs::Error) -> Self {
        use tfcoord_webhdfs::Error as E;
        let text = error.to_string();
        match error {
            E::Rpc(error) => error.into(),
            E::Refused { class, message, .. } => Self::refused(&class, &message, text),
            E::Kerberos { cause, .. } => Self { text, ..Self::from(cause) },
            // RPC, the other way, may be what helps.
            E::Tls { .. } | E::Protocol { .. } | E::Closed { .. } | E::Unproved { .. } | E::Open { .. } => {
                Self { field: Some(CALLS.into()), ..Self::of(text) }
            }
            _ => Self::of(text),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { field: Some("service.hdfs.config_uri".into()), ..Self::of(problem.to_string()) }
    }
}

impl From<state_dir::Error> for Failure {
    fn from(error: state_dir::Error) -> Self {
        Self::of(error.to_string())
    }
}

impl From<tfcoord_fs::Error> for Failure {
    fn from(error: tfcoord_fs::Error) -> Self {
        Self::of(error.to_string())
    }
}

/// Starts the child.
#[derive(Debug, Clone)]
pub struct Caller {
    program: Vec<PathBuf>,
}

impl Caller {
    /// By a program, with its first arguments, that calls [`run`](super::run) with action and folder.
    pub fn new(program: Vec<PathBuf>) -> Self {
        Self { program }
    }

    /// One step with the tokens in `dir`. Given up, the child is killed.
    ///
    /// # Errors
    /// What it says, or why it said nothing.
    pub async fn step(&self, action: Action, dir: &HadoopDir) -> Result<Dates, Failure> {
        let mut child = self.command(action, dir)?.spawn().map_err(|error| broken(&format!("it cannot be started: {error}")))?;
        let (mut answer, mut complaint) = (Vec::new(), Vec::new());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let read = async {
            let out = async { stdout.expect("it is piped").take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await };
            let err = async { stderr.expect("it is piped").take(ANSWER_BYTES_MAX).read_to_end(&mut complaint).await };
            tokio::try_join!(out, err)?;
            child.wait().await
        };
        let ended = tokio::time::timeout(WITHIN, read).await;
        let ended =
            ended.map_err(|_| broken(&format!("no answer within {} s; check that KDC and NameNode can be reached", WITHIN.as_secs())))?;
        let status = ended.map_err(|error| broken(&error.to_string()))?;
        let said = serde_json::from_slice::<Result<Dates, Failure>>(&answer);
        said.unwrap_or_else(|_| Err(broken(&format!("{status}: {}", String::from_utf8_lossy(&complaint).trim()))))
    }

    fn command(&self, action: Action, dir: &HadoopDir) -> Result<Command, Failure> {
        let (program, arguments) = self.program.split_first().expect("a caller has a program");
        let mut command = std::process::Command::new(program);
        std::os::unix::process::CommandExt::arg0(&mut command, NAME);
        command.args(arguments).arg(action.name()).arg(dir.root()).env_clear().envs(passed());
        command.envs(AUTHORITIES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let proof = dir.access()?.proof;
        let configured = proof.as_ref().and_then(|proof| proof.krb5_config.clone());
        if dir.krb5_conf().exists() {
            // Of several files the first one that says something counts; the others may be missing.
            let base = configured.unwrap_or_else(|| KRB5_CONF_USUAL.into());
            command.env("KRB5_CONFIG", format!("{}:{base}", dir.krb5_conf().display()));
        } else if let Some(configured) = configured {
            command.env("KRB5_CONFIG", configured);
        }
        if proof.is_some_and(|proof| proof.trace) {
            command.env("KRB5_TRACE", dir.root().join(TRACE));
        }
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }
}

fn broken(what: &str) -> Failure {
    Failure::of(format!("the process that handles tokens failed: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::{Access, Means, Proof};

    // A job's folder, and a script in the child's place.
    fn place(script: &str) -> (tempfile::TempDir, HadoopDir, Caller) {
        let temp = tempfile::tempdir().unwrap();
        let dir = HadoopDir::new(temp.path());
        let by = Means::Cache(None);
        let proof = Proof { by, proxy_user: None, krb5_config: Some("/site/krb5.conf".into()), trace: true };
        dir.keep_access(&Access { locations: vec![], proof: Some(proof), user: None, calls: tfcoord_types::job::Calls::Rpc }).unwrap();
        let program = temp.path().join("program");
        std::fs::write(&program, script).unwrap();
        // Read by the shell: a file cannot be run while somebody has it open for writing, as what another test starts may.
        (temp, dir, Caller::new(vec!["/bin/sh".into(), program, "tokens".into()]))
    }

    #[tokio::test]
    async fn the_child_says_dates_or_a_failure() {
        let (_temp, dir, caller) = place(r#"echo '{"Ok": {"tokens": [], "at_ms": 7, "ticket_ends_ms": null}}'"#);
        assert_eq!(caller.step(Action::Renew, &dir).await.map(|dates| dates.at_ms), Ok(7));
        let (_temp, dir, caller) = place(r#"echo '{"Err": {"text": "bad keytab", "field": "x", "lost": false}}'; exit 1"#);
        assert_eq!(caller.step(Action::Issue, &dir).await.unwrap_err().to_string(), "bad keytab");
        let (_temp, dir, caller) = place("echo oops >&2; exit 101");
        let text = caller.step(Action::Issue, &dir).await.unwrap_err().text;
        assert!(text.contains("oops") && text.contains("101"), "{text}");
    }

    #[tokio::test]
    async fn the_child_is_told_what_was_submitted_and_sees_nothing_else() {
        let (_temp, dir, caller) = place(r#"env >&2; echo "$@" >&2"#);
        let text = caller.step(Action::Cancel, &dir).await.unwrap_err().text;
        let root = dir.root().display().to_string();
        let expected =
            ["KRB5_CONFIG=/site/krb5.conf\n".to_owned(), format!("KRB5_TRACE={root}/kerberos.log\n"), format!("tokens cancel {root}")];
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
        assert!(!text.contains("CARGO"), "{text}");
        std::fs::write(dir.krb5_conf(), "").unwrap();
        let text = caller.step(Action::Cancel, &dir).await.unwrap_err().text;
        assert!(text.contains(&format!("KRB5_CONFIG={root}/krb5.conf:/site/krb5.conf\n")), "{text}");
    }
}
