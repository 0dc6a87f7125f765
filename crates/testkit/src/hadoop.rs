//! A real HDFS on this machine, in a folder and on ports of its own: a NameNode or two, DataNodes, and where it is secured a
//! real KDC ([`kdc`]). The servers run in one JVM (`tests/hadoop/bed`), which takes commands.
//!
//! Everything ends when it is dropped. When this process is killed it ends as well: KDC and JVM look at their standard input,
//! and the JVM takes the folder away.

mod form;
mod jvm;
pub mod kdc;
mod program;

pub use form::{Form, Security};
pub use kdc::Kdc;
pub use program::program;

use crate::tools::{skip, tool};
use jvm::Jvm;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use tempfile::TempDir;

/// Everybody who has a keytab of his own name; with `hdfs`, the servers' and so the superuser's.
const USERS: [(&str, &[&str]); 4] =
    [("alice", &["alice"]), ("bob", &["bob"]), ("tfcoord", &["tfcoord/localhost"]), ("hdfs", &["hdfs/localhost", "HTTP/localhost"])];

/// A running HDFS.
pub struct Hadoop {
    // First, so that it is dead before its folder goes.
    jvm: Mutex<Jvm>,
    kdc: Option<Kdc>,
    form: Form,
    ready: Value,
    dir: TempDir,
}

impl Hadoop {
    /// Starts one, and waits until it takes files. Nothing, said loudly, where a tool is missing.
    ///
    /// # Panics
    /// If it does not start, with the end of its log; if a tool is missing and `CI` is set.
    pub fn start(form: Form) -> Option<Self> {
        let installed = tool("hadoop/stamp")?.with_file_name("");
        let Some(java) = program("java") else {
            skip("java is missing: install a JDK, then run make setup");
            return None;
        };
        let dir = TempDir::with_prefix("tfcoord-hadoop-").expect("a temporary directory");
        let kdc = match form.security {
            Security::Simple => None,
            _ => Some(Self::realm(dir.path(), &form)?),
        };
        let (jvm, ready) = Jvm::start(&java, &installed, dir.path(), &form);
        Some(Self { jvm: Mutex::new(jvm), kdc, form, ready, dir })
    }

    /// A KDC that knows everybody, with their keytabs.
    fn realm(dir: &Path, form: &Form) -> Option<Kdc> {
        let kdc = Kdc::start(dir, form.lives)?;
        for (name, principals) in USERS {
            kdc.add(name, principals);
        }
        Some(kdc)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `HADOOP_CONF_DIR`: core-site.xml and hdfs-site.xml for clients.
    pub fn conf_dir(&self) -> PathBuf {
        self.dir.path().join("conf")
    }

    /// The address of the root directory: `hdfs://localhost:41217`, or of the nameservice, `hdfs://bed`.
    pub fn url(&self) -> String {
        if self.form.high_availability { "hdfs://bed".to_owned() } else { format!("hdfs://localhost:{}", self.rpc_port(0)) }
    }

    /// Where a NameNode takes calls.
    ///
    /// # Panics
    /// If there is no such NameNode.
    pub fn rpc_port(&self, name_node: usize) -> u16 {
        self.port(name_node, "rpc")
    }

    /// Where a NameNode speaks WebHDFS.
    ///
    /// # Panics
    /// If there is no such NameNode.
    pub fn http_port(&self, name_node: usize) -> u16 {
        self.port(name_node, "http")
    }

    fn port(&self, name_node: usize, of: &str) -> u16 {
        let port = self.ready["namenodes"][name_node][of].as_u64().and_then(|port| u16::try_from(port).ok());
        port.unwrap_or_else(|| panic!("NameNode {name_node} has no port in {}", self.ready))
    }

    /// Where each DataNode takes blocks: `127.0.0.1:34773`.
    pub fn data_nodes(&self) -> Vec<String> {
        let addresses = self.ready["datanodes"].as_array().into_iter().flatten();
        addresses.map(|address| address.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What it was started as.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The KDC.
    ///
    /// # Panics
    /// If HDFS is not secured.
    pub fn kdc(&self) -> &Kdc {
        self.kdc.as_ref().expect("this HDFS is not secured: it has no KDC")
    }

    /// `KRB5_CONFIG` for clients.
    pub fn krb5_conf(&self) -> PathBuf {
        self.dir.path().join("krb5.conf")
    }

    /// The keytab of `alice`, `bob`, `tfcoord` (who may act for others) or `hdfs` (the superuser).
    pub fn keytab(&self, user: &str) -> PathBuf {
        kdc::keytab(self.dir.path(), user)
    }

    /// The principal in that keytab, with its realm: `tfcoord/localhost@BED.TEST`.
    ///
    /// # Panics
    /// If nobody is called so.
    pub fn principal(&self, user: &str) -> String {
        let (_, principals) = USERS.iter().find(|(name, _)| *name == user).unwrap_or_else(|| panic!("no user {user}"));
        format!("{}@{}", principals[0], kdc::REALM)
    }

    /// What a process of this user needs to know: the configuration, and its own credential cache (empty before
    /// [`Hadoop::kinit`]); where HDFS is not secured, the user's name.
    pub fn environment(&self, user: &str) -> Vec<(String, String)> {
        let mut variables = vec![("HADOOP_CONF_DIR".to_owned(), self.conf_dir().display().to_string())];
        if self.kdc.is_some() {
            variables.push(("KRB5_CONFIG".to_owned(), self.krb5_conf().display().to_string()));
            variables.push(("KRB5CCNAME".to_owned(), format!("FILE:{}", self.dir.path().join("caches").join(user).display())));
        } else {
            variables.push(("HADOOP_USER_NAME".to_owned(), user.to_owned()));
        }
        variables
    }

    /// Gets a ticket for the user from the keytab into the user's cache.
    ///
    /// # Panics
    /// If `kinit` fails.
    pub fn kinit(&self, user: &str) {
        let mut kinit = Command::new(program("kinit").expect("the KDC was started, and kinit comes with it"));
        kinit.arg("-k").arg("-t").arg(self.keytab(user)).arg(self.principal(user)).envs(self.environment(user));
        let output = kinit.output().expect("kinit can be started");
        assert!(output.status.success(), "kinit {user}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Hadoop's own `hdfs dfs`, as this user: slow, and the judge of ours.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn dfs(&self, user: &str, arguments: &[&str]) -> Output {
        let jvm = self.jvm.lock().expect("no test broke off while it spoke to the bed");
        let mut dfs = jvm.dfs(self.dir.path(), &self.conf_dir(), arguments);
        drop(jvm);
        dfs.envs(self.environment(user)).output().expect("java can be started")
    }

    /// `hdfs dfs` as [`dfs`](Self::dfs) has it, but ready to run, and with Java's own flags: slow to start, and as fast as it is.
    ///
    /// # Panics
    /// If a test broke off while it spoke to the bed.
    pub fn shell(&self, user: &str, arguments: &[&str]) -> Command {
        let jvm = self.jvm.lock().expect("no test broke off while it spoke to the bed");
        let mut shell = jvm.shell(self.dir.path(), arguments);
        shell.envs(self.environment(user));
        shell
    }

    /// The same by the tokens in a file, with the configuration in `conf`, and without any ticket.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn dfs_by_tokens(&self, tokens: &Path, conf: &Path, arguments: &[&str]) -> Output {
        let jvm = self.jvm.lock().expect("no test broke off while it spoke to the bed");
        let mut dfs = jvm.dfs(self.dir.path(), conf, arguments);
        drop(jvm);
        dfs.env("HADOOP_TOKEN_FILE_LOCATION", tokens).env("KRB5CCNAME", "FILE:/no/ticket").output().expect("java can be started")
    }

    /// Carries out a command (`tests/hadoop/README.md`) and gives its answer.
    ///
    /// # Panics
    /// If it fails.
    pub fn command(&self, command: &str) -> String {
        self.try_command(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Carries out a command and gives its answer.
    ///
    /// # Errors
    /// Why it was not carried out.
    ///
    /// # Panics
    /// If the servers have died.
    pub fn try_command(&self, command: &str) -> Result<String, String> {
        let mut jvm = self.jvm.lock().expect("no test broke off while it spoke to the bed");
        jvm.command(command)
    }

    /// The process of the servers.
    ///
    /// # Panics
    /// If a test broke off while it spoke to them.
    pub fn pid(&self) -> u32 {
        self.jvm.lock().expect("no test broke off while it spoke to the bed").pid()
    }
}
