//! Runs the probe: a process of its own for each question, since Kerberos' configuration is the process's.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
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
pub struct Asker<'a> {
    pub hadoop: &'a Hadoop,
    addresses: String,
    // Of web pages; empty where they are asked by RPC.
    web: String,
}

impl<'a> Asker<'a> {
    /// The passive one first, where there are two.
    pub fn of(hadoop: &'a Hadoop) -> Self {
        let each = |address: &dyn Fn(usize) -> String| {
            let name_nodes = if hadoop.form().high_availability { 2 } else { 1 };
            (0..name_nodes).rev().map(address).collect::<Vec<_>>().join(",")
        };
        Self { hadoop, addresses: each(&|at| format!("localhost:{}", hadoop.rpc_port(at))), web: String::new() }
    }

    /// By WebHDFS, in the same order.
    pub fn by_web(hadoop: &'a Hadoop) -> Self {
        let rpc = Self::of(hadoop);
        let port = |address: &str| {
            let at = (0..2).find(|at| address == format!("localhost:{}", hadoop.rpc_port(*at)));
            format!("http://localhost:{}", hadoop.http_port(at.unwrap()))
        };
        let web = rpc.addresses.split(',').map(port).collect::<Vec<_>>().join(",");
        Self { web, ..rpc }
    }

    /// Through another address.
    pub fn at(&self, address: &str) -> Self {
        match self.web.is_empty() {
            true => Self { hadoop: self.hadoop, addresses: address.to_owned(), web: String::new() },
            false => Self { hadoop: self.hadoop, addresses: self.addresses.clone(), web: address.to_owned() },
        }
    }

    /// With the user's key; `more` are further words of the probe's command line.
    pub fn by_keytab(&self, user: &str, more: &[&str]) -> Result<String, String> {
        let mut command = self.command();
        let (principal, keytab) = (self.hadoop.principal(user), self.hadoop.keytab(user));
        run(command.args(["--by", "keytab", "--user", &principal, "--keytab"]).arg(keytab).args(more))
    }

    /// With the user's ticket, as `kinit` got it.
    pub fn by_ticket(&self, user: &str, more: &[&str]) -> Result<String, String> {
        run(self.command().envs(self.hadoop.environment(user)).args(["--by", "cache"]).args(more))
    }

    /// With a token.
    pub fn by_token(&self, token: &Path, more: &[&str]) -> Result<String, String> {
        run(self.command().args(["--by", "token", "--token"]).arg(token).args(more))
    }

    /// By saying so.
    pub fn by_name(&self, user: &str, more: &[&str]) -> Result<String, String> {
        run(self.command().args(["--by", "name", "--user", user]).args(more))
    }

    /// One client that is asked again and again.
    pub fn lengths(&self, user: &str, path: &str) -> Lengths {
        let (principal, keytab) = (self.hadoop.principal(user), self.hadoop.keytab(user));
        let mut command = self.command();
        command.args(["--by", "keytab", "--user", &principal, "--keytab"]).arg(keytab).args(["lengths", path]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Lengths { process, stdin, stdout }
    }

    fn command(&self) -> Command {
        let mut command = probe(&self.hadoop.krb5_conf());
        command.args(["--name-node", &self.addresses]);
        if !self.web.is_empty() {
            command.args(["--web", &self.web]);
        }
        if self.hadoop.form().high_availability {
            command.args(["--nameservice", "bed"]);
        }
        command
    }
}

/// A client that lives on.
pub struct Lengths {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Lengths {
    /// The file's length, asked for anew.
    pub fn ask(&mut self, question: &str) -> String {
        writeln!(self.stdin, "{question}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().strip_prefix(question).unwrap_or_else(|| panic!("{question}: {line}")).trim().to_owned()
    }
}

impl Drop for Lengths {
    fn drop(&mut self) {
        let _dead_is_fine = self.process.kill();
        let _reaped = self.process.wait();
    }
}
