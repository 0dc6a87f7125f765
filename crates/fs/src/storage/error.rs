//! What can go wrong with a file, wherever it is.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// An operation that failed: which one, on what, as whom and through whom, why, and what helps.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", self.what(), .problem.remedy())]
pub struct Error {
    /// What was tried: `read`, `list`, …
    pub operation: &'static str,
    /// On what.
    pub location: String,
    /// As whom, and through which NameNode; none on this machine.
    pub access: Option<Box<Access>>,
    /// Why not.
    #[source]
    pub problem: Problem,
}

/// As whom and through whom a file in HDFS is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The user, as far as it is known here.
    pub user: String,
    /// The NameNode's address, or those of all that serve the name.
    pub namenode: String,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing has this name.
    #[error("it is not there")]
    Missing,
    /// Something has this name, and nothing is replaced.
    #[error("it exists already and is not replaced")]
    Exists,
    /// This user may not.
    #[error("permission denied: {detail}")]
    Denied {
        /// As the NameNode, or this machine, says it.
        detail: String,
    },
    /// This user may not act for another.
    #[error("not allowed to act for another user: {detail}")]
    Impersonation {
        /// As the NameNode says it.
        detail: String,
    },
    /// A quota on names or on space is used up.
    #[error("a quota is used up: {detail}")]
    Quota {
        /// As the NameNode says it.
        detail: String,
    },
    /// A file was expected.
    #[error("it is a directory")]
    NotAFile,
    /// A directory was expected, here or above.
    #[error("it, or something above it, is no directory")]
    NotADirectory,
    /// A directory holds a name that no text can hold.
    #[error("it holds {name}, a name that is not UTF-8")]
    Name {
        /// The name, quoted.
        name: String,
    },
    /// A directory holds more than is listed.
    #[error("it holds more than {limit} entries")]
    TooMany {
        /// The most that are listed.
        limit: usize,
    },
    /// A file is not what it was when it was opened.
    #[error("it has changed since it was opened (it had {was} bytes)")]
    Changed {
        /// Its length then.
        was: u64,
    },
    /// It is in another file system than the one that was asked.
    #[error("it is in another file system")]
    Elsewhere,
    /// The NameNode changes nothing for now.
    #[error("the NameNode is in safe mode: {detail}")]
    SafeMode {
        /// As the NameNode says it.
        detail: String,
    },
    /// The NameNode, or another server, cannot answer yet.
    #[error("the server is not ready: {detail}")]
    Busy {
        /// As it says it.
        detail: String,
    },
    /// The Kerberos login does not work.
    #[error("Kerberos: {problem}")]
    Login {
        /// What about it.
        problem: Login,
    },
    /// The delegation token is not accepted.
    #[error("the delegation token is not accepted: {detail}")]
    Token {
        /// As the NameNode says it.
        detail: String,
    },
    /// The file with delegation tokens cannot be used.
    #[error("{detail}")]
    TokenFile {
        /// Which file, and what is wrong with it.
        detail: String,
    },
    /// A server protects less than the site's configuration demands.
    #[error("{server} offers {offered}, but {key} demands {demanded}")]
    Protection {
        /// Its address.
        server: Box<str>,
        /// What it offers at most.
        offered: &'static str,
        /// The configuration's key.
        key: &'static str,
        /// What the configuration demands at least.
        demanded: &'static str,
    },
    /// Nobody listens there.
    #[error("connection refused: {detail}")]
    Refused {
        /// Who refused, as far as it is known.
        detail: String,
    },
    /// A connection broke, or a DataNode failed.
    #[error("the connection broke: {detail}")]
    Broken {
        /// How.
        detail: String,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", .after.as_secs_f32())]
    Deadline {
        /// How long it was waited.
        after: Duration,
    },
    /// Whether it was done cannot be told: the answer was lost.
    #[error("it may or may not have been done: {detail}")]
    Undecided {
        /// What was lost.
        detail: String,
    },
    /// The client's configuration is missing, or lacks something.
    #[error("{detail}")]
    NotConfigured {
        /// What is missing, and where it was looked for.
        detail: String,
    },
    /// HDFS can do it, this program cannot.
    #[error("not supported: {detail}")]
    Unsupported {
        /// What.
        detail: String,
    },
    /// A failure on this machine.
    #[error("{0}")]
    Io(io::Error),
    /// The server refused for a reason that has no name of its own here.
    #[error("{class}: {detail}")]
    Server {
        /// The Java class of the exception.
        class: String,
        /// Its message.
        detail: String,
    },
    /// The HDFS client gave up on what it did not expect.
    #[error("the HDFS client failed: {detail}")]
    Client {
        /// As it says it.
        detail: String,
    },
}

/// What is wrong with a Kerberos login.
#[derive(Debug, thiserror::Error)]
pub enum Login {
    /// There is neither a ticket nor a token that fits.
    #[error("there is neither a ticket nor a token: {0}")]
    None(String),
    /// The ticket's time is over.
    #[error("the ticket has expired: {0}")]
    Expired(String),
    /// No KDC answers.
    #[error("the KDC cannot be reached: {0}")]
    Kdc(String),
    /// Clocks differ by more than the KDC allows.
    #[error("the clocks differ too much: {0}")]
    Skew(String),
    /// The KDC does not know the user or the service.
    #[error("the KDC does not know the principal: {0}")]
    Unknown(String),
    /// The KDC does not accept the keytab's key.
    #[error("the key is not accepted: {0}")]
    Key(String),
    /// The keytab cannot be read.
    #[error("the keytab {} cannot be read: {cause}", .path.display())]
    Keytab {
        /// Its file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The system has no Kerberos library.
    #[error("libgssapi_krb5 cannot be loaded: {0}")]
    Library(String),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Whether it may go well if all of it is tried again.
    pub fn is_transient(&self) -> bool {
        self.problem.is_transient()
    }

    /// Its text without what helps ([`Problem::remedy`]), for whoever shows that in a place of its own.
    pub fn what(&self) -> String {
        let Self { operation, location, access, problem } = self;
        format!("cannot {operation} {location}{}: {problem}", Through(access.as_deref()))
    }
}

impl Problem {
    /// Whether it may go well if it is tried again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::SafeMode { .. } | Self::Busy { .. } | Self::Refused { .. } | Self::Broken { .. } | Self::Deadline { .. })
    }

    /// What helps.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => "check the path",
            Self::Exists => "choose another name, or remove it first",
            Self::Denied { .. } => "ask the owner for access, or act as a user who has it",
            Self::Impersonation { .. } => "let the site's administrator set hadoop.proxyuser.<user>.hosts and .users (or .groups)",
            Self::Quota { .. } => "remove something, or ask for a larger quota (hdfs dfsadmin -setSpaceQuota or -setQuota)",
            Self::NotAFile => "name a file in it",
            Self::NotADirectory => "name a directory",
            Self::Name { .. } => "rename it",
            Self::TooMany { .. } => "divide it into several",
            Self::Changed { .. } => "leave data alone while it is used, and start again",
            Self::Elsewhere => "open that file system for it",
            Self::SafeMode { .. } => "wait until it has left it, or see why it does not (hdfs dfsadmin -safemode get)",
            Self::Busy { .. } => "try again in a while",
            Self::Login { problem } => problem.remedy(),
            Self::TokenFile { .. } => "HADOOP_TOKEN_FILE_LOCATION names it: log in again, or set that anew",
            Self::Token { .. } => "get a new one: submit again, or log in with a ticket or a keytab",
            Self::Protection { .. } => "correct the server's configuration, or the client's where it demands too much",
            Self::Refused { .. } => "check that the NameNode and the DataNodes run, and their addresses in the configuration",
            Self::Broken { .. } => {
                "check the DataNodes, and that dfs.data.transfer.protection and hadoop.rpc.protection are here what they are on the servers"
            }
            Self::Deadline { .. } => "check the network, and the load of the NameNode and the DataNodes",
            Self::Undecided { .. } => "look what is there before it is tried again",
            Self::NotConfigured { .. } => "set HADOOP_CONF_DIR to the folder with the site's core-site.xml and hdfs-site.xml, complete",
            Self::Unsupported { .. } => "use a file or a cluster without it",
            Self::Io(_) => "see to the cause on this machine",
            Self::Server { .. } => "see the NameNode's log",
            Self::Client { .. } => "try again, and report it if it stays",
        }
    }
}

impl Login {
    fn remedy(&self) -> &'static str {
        match self {
            Self::None(_) | Self::Expired(_) => "log in with kinit, or name a principal and its keytab",
            Self::Kdc(_) => "check the kdc in krb5.conf, and the network to it",
            Self::Skew(_) => "set this machine's clock (NTP)",
            Self::Unknown(_) => "check principal and realm, and the NameNode's principal in hdfs-site.xml",
            Self::Key(_) => "check that the keytab is this principal's (klist -k), and export it anew if the key was changed",
            Self::Keytab { .. } => "check its path and its owner",
            Self::Library(_) => "install the package libgssapi-krb5-2 (Debian) or krb5-libs (Red Hat)",
            Self::Other(_) => "check krb5.conf, the principal and the ticket (klist)",
        }
    }
}

/// What went wrong, as the system calls it, with all of the text.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error.problem {
            Problem::Missing => io::ErrorKind::NotFound,
            Problem::Exists => io::ErrorKind::AlreadyExists,
            Problem::Denied { .. } => io::ErrorKind::PermissionDenied,
            Problem::Deadline { .. } => io::ErrorKind::TimedOut,
            Problem::Io(cause) => cause.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// What the system says of a file on this machine.
impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::PermissionDenied => Self::Denied { detail: error.to_string() },
            io::ErrorKind::NotADirectory => Self::NotADirectory,
            io::ErrorKind::IsADirectory => Self::NotAFile,
            _ => Self::Io(error),
        }
    }
}

// ` as USER (NameNode HOST:PORT)`.
struct Through<'a>(Option<&'a Access>);

impl Display for Through<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |access| write!(f, " as {} (NameNode {})", access.user, access.namenode))
    }
}
