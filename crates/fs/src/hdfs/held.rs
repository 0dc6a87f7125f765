//! Which hosts hold a file's blocks. The client does not tell, so its NameNodes are asked by calls of our own, with what the
//! process has at hand: a token, or on a site without Kerberos the user's name. It opens no tickets: where there is no token it
//! is not told.

use super::{Identity, Link, call, cause, user};
use crate::hdfs::NameNodes;
use crate::storage::{Held, Location, Problem, Scheme};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tfcoord_hadoop_rpc::{Block, Config, Credentials, Error, NameNode, Token, TokenFile};
use tokio::task::spawn_blocking;

/// For one answer of a NameNode. Who asks goes on without.
const ANSWER: Duration = Duration::from_secs(10);
/// Blocks that are asked for at a time: a message of less than a megabyte.
const BLOCKS_AT_ONCE: u64 = 1024;
/// The most blocks of a file that are told.
const BLOCKS_MAX: usize = 1 << 16;

/// Whom to ask, and as whom.
#[derive(Debug)]
pub(super) struct Locator {
    // Or why nobody can be asked.
    name_nodes: Result<NameNodes, String>,
    // On a site without Kerberos.
    user: String,
    // Connected, until something goes wrong with it.
    asked: Mutex<Option<Arc<NameNode>>>,
}

impl Locator {
    /// For the file system that `at` is in, which these serve.
    pub fn new(at: &Location, served: Result<Vec<NameNodes>, Problem>, identity: &Identity) -> Self {
        let mounted = matches!(at, Location::Remote(remote) if remote.scheme() == Scheme::Viewfs);
        let found = match served.as_deref() {
            Ok([one]) if !mounted => Ok(one.clone()),
            Ok(_) => Err("blocks behind viewfs:// are not located".to_owned()),
            Err(problem) => Err(problem.to_string()),
        };
        Self { name_nodes: found, user: user::unproved(identity), asked: Mutex::new(None) }
    }

    fn idle(&self) -> Option<Arc<NameNode>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, name_node: Option<Arc<NameNode>>) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = name_node;
    }
}

/// The hosts that hold the bytes `range` of the file at `path`.
pub(super) fn held(link: &Arc<Link>, path: &str, range: Range<u64>) -> Result<Vec<Held>, Problem> {
    let (link, path) = (Arc::clone(link), path.to_owned());
    // Of the limits that hold for reading none is that short.
    call::wait(4 * ANSWER, async move {
        let name_node = match link.locator.idle() {
            Some(name_node) => name_node,
            None => Arc::new(connect(&link).await?),
        };
        let found = ask(&name_node, &path, range).await;
        link.locator.keep(found.is_ok().then_some(name_node));
        found
    })?
}

async fn connect(link: &Link) -> Result<NameNode, Problem> {
    let name_nodes = link.locator.name_nodes.as_ref().map_err(|why| Problem::Unsupported { detail: why.clone() })?;
    let credentials = match (&name_nodes.principal, &link.token_file) {
        (Some(_), Some(file)) => Credentials::Token(token(file.clone(), name_nodes.clone()).await?),
        (Some(_), None) => return Err(Problem::Unsupported { detail: "that takes a delegation token, and there is none".to_owned() }),
        (None, _) => Credentials::Simple { user: link.locator.user.clone() },
    };
    let NameNodes { nameservice, addresses, protection, .. } = name_nodes.clone();
    let config = Config { addresses, nameservice, credentials, protection, proxy_user: None, deadline: ANSWER };
    NameNode::connect(config).await.map_err(|error| problem(&error))
}

// A thread of its own waits for the disk, and for the name service.
async fn token(file: PathBuf, name_nodes: NameNodes) -> Result<Token, Problem> {
    let unusable = |detail| Problem::TokenFile { detail };
    let find = move || {
        let tokens = TokenFile::read(&file).map_err(|error| unusable(error.to_string()))?;
        let missing = || unusable(format!("{} has no token of HDFS for {}", file.display(), name_nodes.name()));
        name_nodes.token(&tokens).cloned().ok_or_else(missing)
    };
    spawn_blocking(find).await.map_err(|error| Problem::Client { detail: error.to_string() })?
}

// A first question tells how long blocks are, and so how much may be asked for at once.
async fn ask(name_node: &NameNode, path: &str, range: Range<u64>) -> Result<Vec<Held>, Problem> {
    let mut held = Vec::new();
    let mut next = range.start;
    let mut length = 1;
    while next < range.end {
        let found = name_node.block_locations(path, next, length.min(range.end - next)).await.map_err(|error| problem(&error))?;
        let blocks = found.blocks.iter().filter(|block| end(block) > next && block.offset < range.end);
        let (longest, last) = blocks.clone().fold((1, next), |(longest, last), block| (block.length.max(longest), last.max(end(block))));
        held.extend(
            blocks.map(|block| Held { bytes: block.offset.max(range.start)..end(block).min(range.end), hosts: block.hosts.clone() }),
        );
        if last <= next || held.len() > BLOCKS_MAX {
            // Behind the end, or more than anybody has room for.
            break;
        }
        (next, length) = (last, longest.saturating_mul(BLOCKS_AT_ONCE));
    }
    held.truncate(BLOCKS_MAX);
    Ok(held)
}

fn end(block: &Block) -> u64 {
    block.offset.saturating_add(block.length)
}

fn problem(error: &Error) -> Problem {
    match error {
        Error::Refused { class, message, .. } => cause::of_class(class, message),
        Error::NotFound { .. } => Problem::Missing,
        Error::Deadline { limit, .. } => Problem::Deadline { after: *limit },
        // Its text says which NameNode, and what helps.
        other => Problem::Client { detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdfs::Site;

    fn locator(properties: &[(&str, &str)], at: &str, user: Option<&str>) -> Locator {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("core-site.xml");
        let property = |(name, value): &(&str, &str)| format!("<property><name>{name}</name><value>{value}</value></property>");
        let body: String = properties.iter().map(property).collect();
        std::fs::write(&file, format!("<configuration>{body}</configuration>")).unwrap();
        let site = Site::of_files(dir.path(), [&file], &|_| None).unwrap();
        let at = Location::parse(at, None).unwrap();
        Locator::new(&at, site.name_nodes(&at), &Identity { user: user.map(str::to_owned), ..Identity::default() })
    }

    #[test]
    fn mounts_are_not_looked_through() {
        let mounted = locator(&[("fs.viewfs.mounttable.all.link./one", "hdfs://east:1/one")], "viewfs://all/one", None);
        assert!(mounted.name_nodes.unwrap_err().contains("viewfs"));
        let plain = locator(&[], "hdfs://east:1/one", Some("ann"));
        assert_eq!((plain.name_nodes.unwrap().addresses, plain.user.as_str()), (vec!["east:1".to_owned()], "ann"));
    }

    #[tokio::test]
    async fn a_token_file_is_named_where_it_is_of_no_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.tokens");
        let name_nodes = NameNodes {
            nameservice: Some("west".into()),
            addresses: vec!["a:1".into(), "b:1".into()],
            principal: Some("nn/_HOST@R".into()),
            protection: tfcoord_hadoop_rpc::Protection::Authentication,
        };
        let told = async || token(path.clone(), name_nodes.clone()).await.unwrap_err().to_string();
        assert!(told().await.contains("job.tokens: cannot read it"), "{}", told().await);
        std::fs::write(&path, TokenFile::default().encode().expose()).unwrap();
        assert!(told().await.contains("job.tokens has no token of HDFS for west"), "{}", told().await);
    }
}
