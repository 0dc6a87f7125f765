//! HDFS: its configuration, NameNodes, protection, and what the user can do there.

use super::finding::{Finding, Report};
use super::{data_nodes, kerberos, webhdfs};
use crate::args::Calls;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tfcoord_fs::hdfs::{Hdfs, Identity, Limits, NameNodes, SITE_FILES, Site, offer};
use tfcoord_fs::storage::{Create, FileSystem, Kind, Location, Placement, Problem};
use tfcoord_hadoop_rpc::{self as rpc, Config, Credentials, TokenFile};
use tfcoord_kerberos::Login;
use tfcoord_webhdfs::{NameNode, Web};
use tokio::runtime::Runtime;

/// For one answer. A doctor who waits long is none.
const ANSWER: Duration = Duration::from_secs(20);
const TOKEN_FILE: &str = "HADOOP_TOKEN_FILE_LOCATION";
const TOKEN: &str = "delegation token";

/// Looks at everything that reaching `location` takes; the site's default file system, if it is none.
pub fn examine(
    location: Option<Location>,
    calls: Calls,
    environment: &dyn Fn(&str) -> Option<String>,
    runtime: &Runtime,
    told: &mut dyn FnMut(&Finding),
) -> Vec<Finding> {
    let mut report = Report::new(told);
    let site = configuration(&mut report, environment);
    let at = location.clone().unwrap_or_else(|| Location::parse("hdfs:///", None).expect("an address"));
    let served = site.as_ref().and_then(|site| file_system(&mut report, site, &at));
    let tokens = tokens(&mut report, environment);
    let is_secured = served.as_ref().is_none_or(|nodes| nodes.iter().any(|nodes| nodes.principal.is_some()));
    let login = if is_secured { kerberos::examine(&mut report, environment, tokens.of_hdfs().next().is_some()) } else { None };
    let (Some(site), Some(served)) = (site, served) else {
        let checks = ["namenode", "protection", "read", "write", "webhdfs", "delegation token"];
        for check in checks.into_iter().filter(|check| *check != webhdfs::CHECK || calls == Calls::WebHdfs) {
            report.skip(check, "it takes the configuration");
        }
        return report.into_findings();
    };
    let asker = Asker { login, tokens, user: user(environment), runtime };
    let mut may_serve = false;
    for nodes in &served {
        may_serve |= name_nodes(&mut report, nodes, &asker);
        protection(&mut report, nodes, &site);
    }
    if may_serve {
        files(&mut report, &site, &at, location.is_some(), &asker);
    } else {
        // The client library would try for long.
        ["read", "write"].into_iter().for_each(|check| report.skip(check, "no NameNode serves"));
    }
    for nodes in &served {
        match calls {
            Calls::Rpc => delegation_token(&mut report, nodes, &asker, None),
            Calls::WebHdfs => match webhdfs::examine(&mut report, nodes, &site, &asker) {
                Some(web) => delegation_token(&mut report, nodes, &asker, Some(web)),
                None => report.skip(TOKEN, "it takes WebHDFS"),
            },
        }
    }
    report.into_findings()
}

/// Who asks NameNodes.
pub(super) struct Asker<'a> {
    login: Option<Arc<Login>>,
    tokens: TokenFile,
    // Where nobody must prove who he is.
    user: String,
    pub runtime: &'a Runtime,
}

impl Asker<'_> {
    // As whom the NameNodes are asked; none where there is neither ticket nor token.
    fn credentials(&self, nodes: &NameNodes) -> Option<Credentials> {
        let Some(principal) = &nodes.principal else { return Some(Credentials::Simple { user: self.user.clone() }) };
        if let Some(token) = nodes.token(&self.tokens) {
            return Some(Credentials::Token(token.clone()));
        }
        Some(Credentials::Kerberos { login: Arc::clone(self.login.as_ref()?), service: principal.parse().ok()? })
    }

    /// How some of them are asked; not at all where there is neither ticket nor token.
    pub fn config(&self, nodes: &NameNodes, addresses: Vec<String>) -> Option<Config> {
        let credentials = self.credentials(nodes)?;
        let nameservice = nodes.nameservice.clone();
        Some(Config { addresses, nameservice, credentials, protection: nodes.protection, proxy_user: None, deadline: ANSWER })
    }
}

fn user(environment: &dyn Fn(&str) -> Option<String>) -> String {
    ["HADOOP_USER_NAME", "USER"]
        .iter()
        .find_map(|name| environment(name).filter(|user| !user.is_empty()))
        .unwrap_or_else(|| "nobody".into())
}

fn configuration(report: &mut Report<'_>, environment: &dyn Fn(&str) -> Option<String>) -> Option<Site> {
    const CHECK: &str = "configuration";
    let site = match Site::load(None, environment) {
        Ok(site) => site,
        Err(problem) => {
            report.fail(CHECK, problem.to_string(), problem.remedy());
            return None;
        }
    };
    let by = match ["HADOOP_CONF_DIR", "HADOOP_HOME"].iter().find(|name| environment(name).is_some_and(|value| !value.is_empty())) {
        Some(name) if site.folder() != Path::new("/etc/hadoop/conf") => format!("by {name}"),
        _ => "where it usually is".to_owned(),
    };
    let (there, missing): (Vec<&str>, Vec<&str>) = SITE_FILES.iter().partition(|file| site.folder().join(file).is_file());
    let found = format!("{} in {}, {by}", there.join(" and "), site.folder().display());
    match missing.first() {
        None => report.ok(CHECK, found),
        Some(missing) => report.warn(CHECK, format!("{found}; no {missing}"), format!("put the site's {missing} beside it")),
    }
    Some(site)
}

fn file_system(report: &mut Report<'_>, site: &Site, at: &Location) -> Option<Vec<NameNodes>> {
    const CHECK: &str = "file system";
    let default = site.value("fs.defaultFS").map_or("no default".to_owned(), |default| format!("default {default}"));
    let served = match site.name_nodes(at) {
        Ok(served) => served,
        Err(problem) => {
            report.fail(CHECK, format!("{at}: {problem}; {default}"), problem.remedy());
            return None;
        }
    };
    let each = served.iter().map(|nodes| {
        let name = nodes.nameservice.as_ref().map(|name| format!("nameservice {name}: ")).unwrap_or_default();
        format!("{name}{}", nodes.addresses.join(", "))
    });
    let security = if served.iter().any(|nodes| nodes.principal.is_some()) { "Kerberos" } else { "no security" };
    report.ok(CHECK, format!("{at}, {default}: {}; {security}", each.collect::<Vec<_>>().join("; ")));
    Some(served)
}

fn tokens(report: &mut Report<'_>, environment: &dyn Fn(&str) -> Option<String>) -> TokenFile {
    const CHECK: &str = "token file";
    let Some(path) = environment(TOKEN_FILE).filter(|path| !path.is_empty()) else { return TokenFile::default() };
    let file = match TokenFile::read(Path::new(&path)) {
        Ok(file) => file,
        Err(error) => {
            let fix = format!("fetch it again with `hdfs fetchdt`, or unset {TOKEN_FILE}");
            report.fail(CHECK, error.to_string(), fix);
            return TokenFile::default();
        }
    };
    let each: Vec<String> =
        file.of_hdfs().filter_map(|token| Some(format!("{} of {}", token.service, token.identifier().ok()?.owner))).collect();
    match each.is_empty() {
        true => report.warn(CHECK, format!("{path}: no token of HDFS"), format!("fetch one with `hdfs fetchdt`, or unset {TOKEN_FILE}")),
        false => report.ok(CHECK, format!("{path}: {}", each.join(", "))),
    }
    file
}

// Whether one of them is active, as far as that can be known.
fn name_nodes(report: &mut Report<'_>, nodes: &NameNodes, asker: &Asker<'_>) -> bool {
    const CHECK: &str = "namenode";
    if asker.credentials(nodes).is_none() {
        report.skip(CHECK, format!("{} would ask who comes: there is neither ticket nor token", nodes.addresses.join(", ")));
        return true;
    }
    let serves = |address: &String| {
        let config = asker.config(nodes, vec![address.clone()])?;
        let asked = asker.runtime.block_on(async { rpc::NameNode::connect(config).await?.serves().await });
        Some((address.clone(), asked.map_err(|error| error.to_string())))
    };
    states(report, CHECK, nodes.addresses.iter().filter_map(serves))
}

/// Of each NameNode, whether it is active, or why that is not known.
pub(super) fn states(report: &mut Report<'_>, check: &'static str, found: impl Iterator<Item = (String, Result<bool, String>)>) -> bool {
    let (mut active, mut standby, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (address, serves) in found {
        match serves {
            Ok(true) => active.push(address),
            Ok(false) => standby.push(address),
            Err(error) => failed.push(error),
        }
    }
    let (errors, fixes): (Vec<&str>, Vec<&str>) =
        failed.iter().map(|error| error.rsplit_once("; ").unwrap_or((error, "see the NameNode's log"))).unzip();
    let fix = fixes.first().copied().unwrap_or("activate one of them: hdfs haadmin -transitionToActive");
    let standing = |what: &str, which: &[String]| if which.is_empty() { String::new() } else { format!("{} {what}", which.join(", ")) };
    let parts = [standing("is active", &active), standing("is standby", &standby), errors.join("; ")];
    let found = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    match (active.is_empty(), failed.is_empty()) {
        (true, _) => report.fail(check, found, fix),
        (false, true) => report.ok(check, found),
        (false, false) => report.warn(check, found, fix),
    }
    !active.is_empty()
}

fn protection(report: &mut Report<'_>, nodes: &NameNodes, site: &Site) {
    const CHECK: &str = "protection";
    let demanded = match &nodes.principal {
        Some(_) => format!("Kerberos and {}", nodes.protection),
        None => "nothing".to_owned(),
    };
    let data = site.value("dfs.data.transfer.protection").unwrap_or("none");
    let offers: Vec<String> = nodes
        .addresses
        .iter()
        .filter_map(|address| offer(address).ok().map(|offer| (address, offer)))
        .map(|(address, offer)| format!("{address} takes {} with {}", offer.methods.join(", "), offer.strongest.unwrap_or("no protection")))
        .collect();
    if offers.is_empty() {
        return report.skip(CHECK, "no NameNode says what it offers");
    }
    let at = format!("hdfs://{}/", nodes.nameservice.as_ref().or(nodes.addresses.first()).map_or("", String::as_str));
    let found = format!("{}; this configuration demands {demanded}, and for data {data}", offers.join("; "));
    let met = Location::parse(&at, None).map(|at| Hdfs::connect(&at, site, &Identity::default(), limits()));
    match met {
        Ok(Err(error)) if matches!(error.problem, Problem::Protection { .. } | Problem::NotConfigured { .. }) => {
            report.fail(CHECK, format!("{found}: {}", error.problem), error.problem.remedy());
        }
        _ => report.ok(CHECK, found),
    }
}

fn limits() -> Limits {
    Limits { answer: ANSWER, broken: Duration::from_secs(5), safe_mode: Duration::ZERO }
}

fn files(report: &mut Report<'_>, site: &Site, at: &Location, is_named: bool, asker: &Asker<'_>) {
    let hdfs = match Hdfs::connect(at, site, &Identity::default(), limits()) {
        Ok(hdfs) => hdfs,
        Err(error) => {
            report.storage("read", &error);
            return report.skip("write", "what cannot be read is not written to");
        }
    };
    let status = match hdfs.stat(at) {
        Ok(status) => status,
        Err(error) => {
            report.storage("read", &error);
            return report.skip("write", "what cannot be read is not written to");
        }
    };
    let directory = if status.kind == Kind::Directory { at.clone() } else { at.parent().unwrap_or_else(|| at.clone()) };
    match hdfs.list(&directory) {
        Ok(entries) => report.ok("read", format!("{directory} has {}", crate::show::counted(entries.len() as u64, "name"))),
        Err(error) => report.storage("read", &error),
    }
    if is_named {
        return write(report, site, &hdfs, &directory, asker);
    }
    let home = at.join(&format!("user/{}", asker.name()));
    match hdfs.stat(&home) {
        Ok(_) => write(report, site, &hdfs, &home, asker),
        Err(error) => {
            let fix = "name a directory that you may write to: tfcoord doctor hdfs hdfs:///data/…";
            report.warn("write", format!("{home}: {}: not tried elsewhere", error.problem), fix);
        }
    }
}

impl Asker<'_> {
    // The name that homes have.
    fn name(&self) -> String {
        let of_token = || self.tokens.of_hdfs().find_map(|token| token.identifier().ok()).map(|identifier| identifier.owner);
        let of_login = self.login.as_ref().map(|login| login.principal().primary().to_owned());
        of_login.or_else(of_token).unwrap_or_else(|| self.user.clone())
    }
}

fn write(report: &mut Report<'_>, site: &Site, hdfs: &Hdfs, directory: &Location, asker: &Asker<'_>) {
    const TEXT: &[u8] = b"written by tfcoord doctor, which removes it\n";
    let at = directory.join(&format!(".tfcoord-doctor-{}-{}", std::process::id(), crate::verb::now_ms()));
    let begin = |begun| {
        let mut writer = hdfs.create(&at, Create { mode: 0o600, begun })?;
        writer.write(TEXT.into())?;
        writer.commit(Placement::New)
    };
    // It may meet a DataNode that has just died.
    let written = match begin(0) {
        Err(error) if matches!(error.problem, Problem::Broken { .. }) => begin(1),
        written => written,
    };
    let read = written.and_then(|()| hdfs.open(&at)?.read_at(0, TEXT.len() + 1));
    if read.is_ok() {
        data_nodes::examine(report, site, &at, asker);
    }
    // Also where it could not be read.
    let removed = hdfs.delete(&at);
    match (read, removed) {
        (Err(error), _) | (Ok(_), Err(error)) => report.storage("write", &error),
        (Ok(bytes), _) if bytes != TEXT => {
            report.fail("write", format!("{at} is read otherwise than it was written"), "check the DataNodes' disks, and report it");
        }
        _ => report.ok("write", format!("a file in {directory} was written, read back and removed")),
    }
}

fn delegation_token(report: &mut Report<'_>, nodes: &NameNodes, asker: &Asker<'_>, web: Option<Web>) {
    const CHECK: &str = TOKEN;
    let way = if web.is_some() { "WebHDFS" } else { "RPC" };
    let Some(config) = asker.config(nodes, nodes.addresses.clone()) else {
        return report.skip(CHECK, "there is neither ticket nor token");
    };
    match config.credentials {
        Credentials::Kerberos { .. } => {}
        Credentials::Token(_) => return report.skip(CHECK, "who comes with a token gets no other one"),
        Credentials::Simple { .. } => return report.skip(CHECK, "without security nobody needs one"),
    }
    let got = asker.runtime.block_on(async {
        let name_node = NameNode::connect(config.clone(), web).await?;
        let token = name_node.delegation_token(&asker.name()).await?;
        let identifier = token.identifier().ok();
        // What it is for: files are read by RPC.
        let by_token = Config { credentials: Credentials::Token(token.clone()), ..config };
        let taken = rpc::NameNode::connect(by_token).await;
        name_node.cancel(&token).await?;
        taken?;
        Ok::<_, tfcoord_webhdfs::Error>(identifier)
    });
    match got {
        Ok(identifier) => {
            let life = identifier.and_then(|identifier| identifier.latest.duration_since(SystemTime::now()).ok());
            let life = life.map_or(String::new(), |life| {
                format!(", good for at most {}", crate::show::duration(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)))
            });
            report.ok(CHECK, format!("got by {way}{life}, taken by RPC, and cancelled again"));
        }
        Err(error) => report.error(CHECK, &error),
    }
}
