//! `tfcoord-coordinator tokens ACTION DIR`: one step with the tokens of the job whose site is in `DIR`, in a process of its
//! own that is gone when it is done. It opens keytab and tickets, which nobody else does; it prints dates or a failure as
//! one line of JSON, and no secret ever.

use super::call::Failure;
use super::dates::{Dates, TokenDates, ms, now_ms};
use crate::state_dir::{Access, HadoopDir, Means, Proof};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_fs::hdfs::{NameNodes, Site};
use tfcoord_fs::storage::Location;
use tfcoord_hadoop_rpc::{Config, Credentials, Token, TokenFile};
use tfcoord_kerberos::{Kerberos, Login};
use tfcoord_types::job::Calls;
use tfcoord_webhdfs::{NameNode, Web};

mod keytab;

/// For each call of a NameNode.
const CALL_WITHIN: Duration = Duration::from_secs(30);
const MODE_PRIVATE: u32 = 0o600;

/// What is done to a job's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Action {
    /// New ones are written into the file.
    Issue,
    /// Those in the file are prolonged.
    Renew,
    /// Those in the file become worthless.
    Cancel,
}

impl Action {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Cancel => "cancel",
        }
    }
}

/// Does it, and prints what came of it.
pub fn run(action: Action, dir: &Path) -> ExitCode {
    keep_memory_private();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(Err(Failure::of(error.to_string()))),
    };
    say(runtime.block_on(step(action, &HadoopDir::new(dir))))
}

fn say(result: Result<Dates, Failure>) -> ExitCode {
    println!("{}", serde_json::to_string(&result).expect("names and numbers"));
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

// Nobody else reads its memory, neither now nor from a core file. Where the system refuses it is as private as any other.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _refused = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

async fn step(action: Action, dir: &HadoopDir) -> Result<Dates, Failure> {
    let Access { locations, proof, calls, .. } = dir.access()?;
    let proof = proof.ok_or_else(|| Failure::of("the site has no Kerberos".into()))?;
    let site = Site::load(Some(&dir.site()), &|_| None)?;
    let mut name_nodes = Vec::new();
    for location in &locations {
        let location = Location::parse(location, None).map_err(|error| Failure::of(error.to_string()))?;
        name_nodes.extend(site.name_nodes(&location)?);
    }
    name_nodes.sort();
    name_nodes.dedup();
    let login = Arc::new(log_in(&proof)?);
    // A new ticket comes with each login by a keytab.
    let ticket_ends_ms = match &proof.by {
        Means::Keytab { .. } => None,
        Means::Cache(_) => Some(ms(login.ticket()?.end)),
    };
    let by = Asker { login, proof, ticket_ends_ms, site, calls };
    match action {
        Action::Issue => by.issue(dir, &name_nodes).await,
        Action::Renew => by.renew(dir, &name_nodes).await,
        Action::Cancel => by.cancel(dir, &name_nodes).await,
    }
}

fn log_in(proof: &Proof) -> Result<Login, Failure> {
    let kerberos = Kerberos::load()?;
    match &proof.by {
        Means::Keytab { path, principal } => keytab::log_in(&kerberos, path, principal),
        Means::Cache(name) => Ok(kerberos.tickets_of(name.as_deref())?),
    }
}

/// Who asks.
struct Asker {
    login: Arc<Login>,
    proof: Proof,
    ticket_ends_ms: Option<u64>,
    site: Site,
    calls: Calls,
}

impl Asker {
    async fn connect(&self, to: &NameNodes, proxy_user: Option<String>) -> Result<NameNode, Failure> {
        let principal = to.principal.as_deref().ok_or_else(|| Failure::of("the site names no principal of its NameNodes".into()))?;
        let credentials = Credentials::Kerberos { login: self.login.clone(), service: principal.parse()? };
        let (addresses, nameservice) = (to.addresses.clone(), to.nameservice.clone());
        let (protection, deadline) = (to.protection, CALL_WITHIN);
        let web = match self.calls {
            Calls::Rpc => None,
            Calls::WebHdfs => Some(self.web(to)?),
        };
        Ok(NameNode::connect(Config { addresses, nameservice, credentials, protection, proxy_user, deadline }, web).await?)
    }

    fn web(&self, of: &NameNodes) -> Result<Web, Failure> {
        let web = self.site.web(of)?;
        Ok(Web { addresses: web.addresses, service: web.principal.parse()? })
    }

    // What was just given out is renewed at once: the answer says until when it is good, and that we may.
    async fn issue(&self, dir: &HadoopDir, all: &[NameNodes]) -> Result<Dates, Failure> {
        let mut file = TokenFile::default();
        let mut dates = Vec::new();
        for name_nodes in all {
            let for_user = self.connect(name_nodes, self.proof.proxy_user.clone()).await?;
            let token = for_user.delegation_token(self.login.principal().as_str()).await?;
            let renewed = match &self.proof.proxy_user {
                Some(_) => self.connect(name_nodes, None).await?.renew(&token).await?,
                None => for_user.renew(&token).await?,
            };
            dates.push(TokenDates::new(&token.service, &token.identifier().map_err(|error| Failure::of(error.to_string()))?, renewed));
            // Java's clients look for a NameNode's numeric address, hdfs-native for the address as it is configured.
            if let ([address], None) = (name_nodes.addresses.as_slice(), &name_nodes.nameservice)
                && *address != token.service
            {
                file.tokens.push((address.clone(), Token { service: address.clone(), ..token.clone() }));
            }
            file.tokens.push((token.service.clone(), token));
        }
        let dates = Dates { tokens: dates, at_ms: now_ms(), ticket_ends_ms: self.ticket_ends_ms };
        tfcoord_fs::write_atomic(&dir.tokens(), file.encode().expose(), MODE_PRIVATE)?;
        dates.keep(dir)?;
        Ok(dates)
    }

    async fn renew(&self, dir: &HadoopDir, all: &[NameNodes]) -> Result<Dates, Failure> {
        let mut dates = Vec::new();
        for (name_node, token) in self.each(dir, all).await? {
            let expires = name_node.renew(&token).await?;
            dates.push(TokenDates::new(&token.service, &token.identifier().map_err(|error| Failure::of(error.to_string()))?, expires));
        }
        let dates = Dates { tokens: dates, at_ms: now_ms(), ticket_ends_ms: self.ticket_ends_ms };
        dates.keep(dir)?;
        Ok(dates)
    }

    async fn cancel(&self, dir: &HadoopDir, all: &[NameNodes]) -> Result<Dates, Failure> {
        let mut dates = Vec::new();
        for (name_node, token) in self.each(dir, all).await? {
            match name_node.cancel(&token).await.map_err(Failure::from) {
                Ok(()) => {}
                // It was cancelled before, or has run out.
                Err(failure) if failure.lost => {}
                Err(failure) => return Err(failure),
            }
            let identifier = token.identifier().map_err(|error| Failure::of(error.to_string()))?;
            dates.push(TokenDates::new(&token.service, &identifier, std::time::SystemTime::now()));
        }
        Ok(Dates { tokens: dates, at_ms: now_ms(), ticket_ends_ms: self.ticket_ends_ms })
    }

    // The tokens in the file, each with the NameNodes that gave it.
    async fn each(&self, dir: &HadoopDir, all: &[NameNodes]) -> Result<Vec<(NameNode, Token)>, Failure> {
        let file = TokenFile::read(&dir.tokens()).map_err(|error| Failure { lost: true, ..Failure::of(error.to_string()) })?;
        let mut tokens: Vec<Token> = file.tokens.into_iter().map(|(_, token)| token).collect();
        let mut found = Vec::new();
        for name_nodes in all {
            let name_node = self.connect(name_nodes, None).await?;
            let service = name_node.token_service().await?;
            if let Some(at) = tokens.iter().position(|token| token.service == service) {
                found.push((name_node, tokens.swap_remove(at)));
            }
        }
        if found.len() == all.len() {
            return Ok(found);
        }
        Err(Failure { lost: true, ..Failure::of(format!("{} does not have all tokens", dir.tokens().display())) })
    }
}
