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

mod given;
mod keytab;

/// For each call of a NameNode.
const CALL_WITHIN: Duration = Duration::from_secs(30);
const MODE_PRIVATE: u32 = 0o600;
/// By so much clocks may differ, unless a site says otherwise (`clockskew` of krb5.conf).
const SKEW_MS_MAX: u64 = 300_000;

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
    let kerberos = Kerberos::load();
    let (login, ticket_ends_ms) = match &proof.by {
        Means::Tokens(path) => return given::step(action, dir, path, &name_nodes).await,
        // A new ticket comes with each login.
        Means::Keytab { path, principal } => (keytab::log_in(&kerberos?, path, principal)?, None),
        Means::Cache(name) => {
            let login = kerberos?.tickets_of(name.as_deref())?;
            let ends_ms = ms(login.ticket()?.end);
            (login, Some(ends_ms))
        }
    };
    let login = Arc::new(login);
    let by = Asker { login, proof, ticket_ends_ms, site, calls };
    match action {
        Action::Issue => by.issue(dir, &name_nodes).await,
        Action::Renew => by.renew(dir, &name_nodes).await,
        Action::Cancel => by.cancel(dir, &name_nodes).await,
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
        let config = Config { addresses, nameservice, credentials, protection, proxy_user, deadline };
        NameNode::connect(config, web).await.map_err(|error| self.with_clocks(error.into()))
    }

    fn web(&self, of: &NameNodes) -> Result<Web, Failure> {
        let web = self.site.web(of)?;
        Ok(Web { addresses: web.addresses, service: web.principal.parse()? })
    }

    // A NameNode that refuses a ticket says nothing of its clock.
    fn with_clocks(&self, failure: Failure) -> Failure {
        let ticket = self.login.ticket().map(|ticket| ms(ticket.start));
        let is_new = matches!(self.proof.by, Means::Keytab { .. });
        match ticket.ok().and_then(|start_ms| clocks(start_ms, now_ms(), is_new)) {
            Some(clocks) => Failure { text: format!("{}; {clocks}", failure.text), ..failure },
            None => failure,
        }
    }

    // Those that were got before one that could not be are cancelled: nobody would know of them any more.
    async fn issue(&self, dir: &HadoopDir, all: &[NameNodes]) -> Result<Dates, Failure> {
        let (mut got, mut dates, mut file) = (Vec::new(), Vec::new(), TokenFile::default());
        for name_nodes in all {
            match self.get(name_nodes, &mut got).await {
                Ok(token) => dates.push(token),
                Err(failure) => {
                    for (_, by, token) in &got {
                        // Where that cannot be done either they run out by themselves.
                        let _ = by.cancel(token).await;
                    }
                    return Err(failure);
                }
            }
        }
        got.into_iter().for_each(|(name_nodes, _, token)| add(&mut file, name_nodes, token));
        let dates = Dates { tokens: dates, at_ms: now_ms(), ticket_ends_ms: self.ticket_ends_ms, is_given: false };
        tfcoord_fs::write_atomic(&dir.tokens(), file.encode().expose(), MODE_PRIVATE)?;
        dates.keep(dir)?;
        Ok(dates)
    }

    // What was just given out is renewed at once: the answer says until when it is good, and that we may.
    async fn get<'n>(&self, of: &'n NameNodes, got: &mut Vec<(&'n NameNodes, NameNode, Token)>) -> Result<TokenDates, Failure> {
        let for_user = self.connect(of, self.proof.proxy_user.clone()).await?;
        let token = for_user.delegation_token(self.login.principal().as_str()).await?;
        got.push((of, for_user, token));
        let (_, for_user, token) = got.last().expect("it was just put there");
        let renewed = match &self.proof.proxy_user {
            Some(_) => self.connect(of, None).await?.renew(token).await?,
            None => for_user.renew(token).await?,
        };
        let identifier = token.identifier().map_err(|error| Failure::of(error.to_string()))?;
        Ok(TokenDates::new(&token.service, &identifier, renewed))
    }

    async fn renew(&self, dir: &HadoopDir, all: &[NameNodes]) -> Result<Dates, Failure> {
        let mut dates = Vec::new();
        for (name_node, token) in self.each(dir, all).await? {
            let expires = name_node.renew(&token).await?;
            dates.push(TokenDates::new(&token.service, &token.identifier().map_err(|error| Failure::of(error.to_string()))?, expires));
        }
        let dates = Dates { tokens: dates, at_ms: now_ms(), ticket_ends_ms: self.ticket_ends_ms, is_given: false };
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
        Ok(Dates { tokens: dates, at_ms: now_ms(), ticket_ends_ms: self.ticket_ends_ms, is_given: false })
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

// What a ticket tells of clocks that differ by more than Kerberos allows: one that is new begins now, none begins later.
fn clocks(start_ms: u64, now_ms: u64, is_new: bool) -> Option<String> {
    let (ahead, behind) = (start_ms.saturating_sub(now_ms), now_ms.saturating_sub(start_ms));
    let (ms, way) = if ahead > SKEW_MS_MAX { (ahead, "ahead of") } else { (behind, "behind") };
    if ms <= SKEW_MS_MAX || (way == "behind" && !is_new) {
        return None;
    }
    Some(format!("the KDC's clock is {} min {way} this machine's: set both, and the NameNode's, by NTP", (ms + 30_000) / 60_000))
}

// Java's clients look for a NameNode's numeric address, or its name where hadoop.security.token.service.use_ip is false;
// hdfs-native for the address as it is configured.
fn add(file: &mut TokenFile, name_nodes: &NameNodes, token: Token) {
    if let ([address], None) = (name_nodes.addresses.as_slice(), &name_nodes.nameservice)
        && *address != token.service
    {
        file.tokens.push((address.clone(), Token { service: address.clone(), ..token.clone() }));
    }
    file.tokens.push((token.service.clone(), token));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_tells_of_clocks_that_differ() {
        const NOW: u64 = 1_700_000_000_000;
        let minutes = |minutes: i64, is_new| clocks(NOW.saturating_add_signed(minutes * 60_000), NOW, is_new).unwrap_or_default();
        assert!(minutes(20, false).starts_with("the KDC's clock is 20 min ahead of this machine's: "));
        assert!(minutes(-20, true).starts_with("the KDC's clock is 20 min behind this machine's: "));
        assert_eq!([minutes(-20, false), minutes(-5, true), minutes(5, true)], [""; 3], "a ticket may be old, and clocks a little apart");
    }
}
