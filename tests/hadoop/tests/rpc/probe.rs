//! Runs the probe: a process of its own for each question, since Kerberos' configuration is the process's.

use std::path::Path;
use std::process::Command;
use tfcoord_testkit::hadoop::Hadoop;

/// What it printed, or why it failed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.env_remove("RUST_BACKTRACE").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// With a realm's configuration, and nothing else.
pub fn probe(krb5_conf: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe"));
    command.env("KRB5_CONFIG", krb5_conf).env("KRB5CCNAME", krb5_conf.with_file_name("nobody's"));
    command
}

/// Asks the NameNodes of a bed.
pub struct Asker<'a>(pub &'a Hadoop);

impl Asker<'_> {
    /// With the user's key; `more` are further words of the probe's command line.
    pub fn by_keytab(&self, user: &str, more: &[&str]) -> Result<String, String> {
        let mut command = self.command();
        let (principal, keytab) = (self.0.principal(user), self.0.keytab(user));
        run(command.args(["--by", "keytab", "--user", &principal, "--keytab"]).arg(keytab).args(more))
    }

    /// With a token.
    pub fn by_token(&self, token: &Path, more: &[&str]) -> Result<String, String> {
        run(self.command().args(["--by", "token", "--token"]).arg(token).args(more))
    }

    /// By saying so.
    pub fn by_name(&self, user: &str, more: &[&str]) -> Result<String, String> {
        run(self.command().args(["--by", "name", "--user", user]).args(more))
    }

    fn command(&self) -> Command {
        let mut command = probe(&self.0.krb5_conf());
        let name_nodes = if self.0.form().high_availability { 2 } else { 1 };
        // The passive one first, where there are two.
        let addresses: Vec<String> = (0..name_nodes).rev().map(|at| format!("localhost:{}", self.0.rpc_port(at))).collect();
        command.args(["--name-node", &addresses.join(",")]);
        if name_nodes > 1 {
            command.args(["--nameservice", "bed"]);
        }
        command
    }
}
