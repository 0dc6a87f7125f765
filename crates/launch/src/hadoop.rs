//! What a process is told of the site that its job's files are on: where it is configured and where tokens lie, but no way to log in.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// The variable that says where tokens lie.
pub(crate) const TOKENS: &str = "HADOOP_TOKEN_FILE_LOCATION";

/// Where a job's site and tokens lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hadoop {
    /// The directory with core-site.xml and hdfs-site.xml.
    pub site: PathBuf,
    /// The file with the job's delegation tokens, replaced whole as they are renewed; none where the site has no Kerberos.
    pub tokens: Option<PathBuf>,
    /// Who the job is where nobody has to prove it; whoever runs the process if absent.
    pub user: Option<String>,
}

impl Hadoop {
    /// What clients of HDFS look for in their environment.
    pub fn environment(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let tokens = self.tokens.iter().map(|tokens| (TOKENS, tokens.as_os_str()));
        let user = self.user.iter().map(|user| ("HADOOP_USER_NAME", user.as_ref()));
        [("HADOOP_CONF_DIR", self.site.as_os_str())].into_iter().chain(tokens).chain(user)
    }

    /// Tells a process about it that has not been started yet.
    pub fn tell(&self, command: &mut Command) {
        command.envs(self.environment());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_where_and_never_how_to_log_in() {
        let mut hadoop = Hadoop { site: "/j/site".into(), tokens: Some("/j/hdfs.tokens".into()), user: None };
        let told = |hadoop: &Hadoop| hadoop.environment().map(|(name, value)| format!("{name}={}", value.display())).collect::<Vec<_>>();
        assert_eq!(told(&hadoop), ["HADOOP_CONF_DIR=/j/site", "HADOOP_TOKEN_FILE_LOCATION=/j/hdfs.tokens"]);
        (hadoop.tokens, hadoop.user) = (None, Some("alice".into()));
        assert_eq!(told(&hadoop), ["HADOOP_CONF_DIR=/j/site", "HADOOP_USER_NAME=alice"]);
    }
}
