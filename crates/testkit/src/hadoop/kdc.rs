//! A real KDC, MIT's, in a folder and on a port of its own. It needs no root.

mod files;
mod held;

use super::program;
use crate::deadline::wait_for;
use crate::tools::skip;
use held::HeldPort;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// The realm.
pub const REALM: &str = "BED.TEST";

/// For the KDC's own keys: no secret.
const MASTER_PASSWORD: &str = "master";

/// How long tickets are good, unless a client asks for less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// Before a ticket must be renewed, in whole seconds.
    pub ticket: Duration,
    /// How long it can be renewed, in whole seconds.
    pub renewable: Duration,
}

/// A KDC; ended when dropped, and when this process ends.
pub struct Kdc {
    dir: PathBuf,
    port: HeldPort,
    // A shell around the KDC, which ends it when the shell's own standard input does.
    process: Mutex<Option<Child>>,
}

/// Where a keytab is in the folder.
pub(super) fn keytab(dir: &Path, name: &str) -> PathBuf {
    dir.join("keytabs").join(format!("{name}.keytab"))
}

impl Kdc {
    /// Makes `krb5.conf` and an empty realm in the folder, and starts the KDC. Nothing, said loudly, where it is not installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed and `CI` is set.
    pub fn start(dir: &Path, lives: Lives) -> Option<Self> {
        for name in ["krb5kdc", "kdb5_util", "kadmin.local", "kinit"] {
            if program(name).is_none() {
                skip(&format!("{name} is missing: run make setup"));
                return None;
            }
        }
        let port = HeldPort::any();
        files::write(dir, port.number(), lives);
        let kdc = Self { dir: dir.to_owned(), port, process: Mutex::new(None) };
        let created = kdc.tool("kdb5_util").args(["create", "-s", "-r", REALM, "-P", MASTER_PASSWORD]).output();
        succeeded("kdb5_util create", &created.expect("kdb5_util can be started"));
        kdc.resume();
        Some(kdc)
    }

    /// Makes principals with random keys, and the keytab `keytabs/NAME.keytab` with all of them.
    ///
    /// # Panics
    /// If they cannot be made.
    pub fn add(&self, name: &str, principals: &[&str]) {
        let keytab = self.keytab(name);
        for principal in principals {
            self.kadmin(&format!("addprinc -randkey {principal}"));
        }
        self.kadmin(&format!("ktadd -k {} -norandkey {}", keytab.display(), principals.join(" ")));
    }

    /// A command of `kadmin`, such as `delprinc -force bob` or `cpw -randkey alice`.
    ///
    /// # Panics
    /// If it fails.
    pub fn kadmin(&self, command: &str) -> String {
        let output = self.tool("kadmin.local").args(["-r", REALM, "-q", command]).output().expect("kadmin.local can be started");
        succeeded(command, &output);
        // It ends well whatever happened, and says on the error stream what.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let bad = said.lines().find(|line| line.contains(" while ") || line.contains("kadmin.local:"));
        assert!(bad.is_none(), "{command}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Where a keytab is, or would be.
    pub fn keytab(&self, name: &str) -> PathBuf {
        keytab(&self.dir, name)
    }

    /// Where it listens, TCP only; its own while it is stopped, too.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends the KDC: whoever asks for a ticket is refused the connection.
    ///
    /// # Panics
    /// If it has been stopped.
    pub fn stop(&self) {
        let process = self.process.lock().expect("no test broke off in here").take();
        end(process.expect("the KDC was running"));
    }

    /// Starts it again, with all that it knew.
    ///
    /// # Panics
    /// If it is running, or does not start.
    pub fn resume(&self) {
        self.begin(&[]);
    }

    /// Starts it again with a clock that is wrong by so much, as `+20 minutes`. Says whether that could be done, and loudly if not.
    ///
    /// # Panics
    /// If it is running, or does not start; if faketime is missing and `CI` is set.
    pub fn resume_at(&self, offset: &str) -> bool {
        let Some(faketime) = program("faketime") else {
            skip("faketime is missing: run make setup");
            return false;
        };
        // The program stays in between, and does not pass on that it is to end.
        let told = Command::new(faketime).args([offset, "env"]).output().expect("faketime can be started");
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        let variable = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        let variables = ["FAKETIME", "LD_PRELOAD"].map(|name| (name, variable(name).expect("it works by these variables")));
        self.begin(&variables);
        true
    }

    fn begin(&self, more: &[(&str, String)]) {
        let mut process = self.process.lock().expect("no test broke off in here");
        assert!(process.is_none(), "the KDC is running");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(r#""$0" -n -P "$1" >/dev/null 2>&1 & kdc=$!; cat >/dev/null; kill $kdc; wait $kdc"#);
        shell.arg(program("krb5kdc").expect("it was there")).arg(self.dir.join("kdc/pid"));
        shell.envs(self.variables()).envs(more.iter().cloned()).stdin(Stdio::piped());
        *process = Some(shell.spawn().expect("sh can be started"));
        drop(process);
        let address = ("127.0.0.1", self.port());
        wait_for(30, "the KDC takes connections", || TcpStream::connect(address).ok());
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(program(name).expect("it was there"));
        command.envs(self.variables());
        command
    }

    fn variables(&self) -> [(&str, PathBuf); 2] {
        [("KRB5_CONFIG", files::client(&self.dir)), ("KRB5_KDC_PROFILE", files::server(&self.dir))]
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        if let Some(process) = self.process.get_mut().ok().and_then(Option::take) {
            end(process);
        }
    }
}

fn end(mut shell: Child) {
    drop(shell.stdin.take());
    let _reaped = shell.wait();
}

fn succeeded(what: &str, output: &Output) {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}
