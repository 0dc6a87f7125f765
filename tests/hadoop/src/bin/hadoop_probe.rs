//! Does one thing with a NameNode or a KDC and prints what came of it, so that a test can give it an environment of its own.

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use clap::{Parser, Subcommand, ValueEnum};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tfcoord_hadoop_rpc::{Config, Credentials, Protection, Token, TokenFile};
use tfcoord_kerberos::{Kerberos, Login, Mechanism, Place, Principal};
use tfcoord_webhdfs::{NameNode, Web};

/// One thing, done to a real server.
#[derive(Parser)]
struct Arguments {
    /// Addresses of the NameNodes.
    #[arg(long, value_delimiter = ',')]
    name_node: Vec<String>,
    /// Addresses of their web pages, by which they are called then: `http://host:port`.
    #[arg(long, value_delimiter = ',')]
    web: Vec<String>,
    /// The principal that those must prove to be.
    #[arg(long, default_value = "HTTP/_HOST@BED.TEST")]
    web_service: String,
    /// The name for all of them.
    #[arg(long)]
    nameservice: Option<String>,
    /// The principal that they must prove to be.
    #[arg(long, default_value = "hdfs/_HOST@BED.TEST")]
    service: String,
    /// At least.
    #[arg(long, default_value = "authentication")]
    protection: Protection,
    /// By what it is proved who asks.
    #[arg(long, value_enum, default_value = "cache")]
    by: By,
    /// The user, or the principal.
    #[arg(long, default_value = "alice@BED.TEST")]
    user: String,
    /// With the principal's key.
    #[arg(long)]
    keytab: Option<PathBuf>,
    /// Where tickets lie; in memory, if nowhere.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// The token to connect by.
    #[arg(long)]
    token: Option<PathBuf>,
    /// For whom.
    #[arg(long)]
    proxy: Option<String>,
    /// Seconds.
    #[arg(long, default_value_t = 30)]
    deadline: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Name,
    Keytab,
    Cache,
    Token,
}

#[derive(Subcommand)]
enum What {
    /// Prints the ticket's seconds: to live, to be renewed; and the cache's permissions, where it is a file.
    Ticket,
    /// Renews the ticket, looks for it in the cache, and prints as `ticket`.
    RenewTicket,
    /// Prints HTTP's `Negotiate` token for a service.
    Spnego { service: String },
    /// Prints a line for each block: offset, length, hosts.
    Blocks { path: String },
    /// Prints a file's length for each line of the standard input, over one client.
    Lengths { path: String },
    /// Gets a token into a file.
    GetToken { renewer: String, file: PathBuf },
    /// Renews the token in a file; prints for how many seconds it is good.
    Renew { file: PathBuf },
    /// Cancels the token in a file.
    Cancel { file: PathBuf },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.what {
        What::Ticket => {
            let login = arguments.login()?;
            print_ticket(login.ticket()?);
            if let Some(path) = login.cache_name().strip_prefix("FILE:") {
                println!("{:o}", std::fs::metadata(path)?.permissions().mode() & 0o7777);
            }
        }
        What::RenewTicket => {
            let login = arguments.login()?;
            let renewed = login.renew()?;
            anyhow::ensure!(login.ticket()? == renewed, "the cache holds another ticket than the renewed one");
            print_ticket(renewed);
        }
        What::Spnego { service } => {
            let step = arguments.login()?.initiate(&service.parse()?, Mechanism::Spnego)?.step(&[])?;
            println!("Negotiate {}", BASE64_STANDARD.encode(step.token));
        }
        What::Blocks { path } => {
            let found = arguments.name_node().await?.block_locations(path, 0, u64::MAX >> 1).await?;
            println!("length {}", found.file_length);
            for block in found.blocks {
                println!("{} {} {} {}", block.offset, block.length, block.hosts.join(","), block.data_nodes.join(","));
            }
        }
        What::Lengths { path } => {
            let name_node = arguments.name_node().await?;
            for line in std::io::stdin().lines() {
                println!("{} {}", line?, name_node.block_locations(path, 0, 1).await?.file_length);
            }
        }
        What::GetToken { renewer, file } => {
            let token = arguments.name_node().await?.delegation_token(renewer).await?;
            let identifier = token.identifier()?;
            let life = identifier.latest.duration_since(identifier.issued)?;
            println!("{} {} {} by {:?} for {}", token.kind, token.service, identifier.owner, identifier.real_user, life.as_secs());
            std::fs::write(file, TokenFile::of(token).encode().expose())?;
        }
        What::Renew { file } => {
            let until = arguments.name_node().await?.renew(&token(file)?).await?;
            println!("{}", until.duration_since(SystemTime::now())?.as_secs());
        }
        What::Cancel { file } => arguments.name_node().await?.cancel(&token(file)?).await?,
    }
    Ok(())
}

impl Arguments {
    fn login(&self) -> Result<Login> {
        let kerberos = Kerberos::load()?;
        let Some(keytab) = &self.keytab else { return Ok(kerberos.tickets_of(None)?) };
        let place = self.cache.clone().map_or(Place::Memory, Place::File);
        Ok(kerberos.login(&self.user.parse()?, keytab, place)?)
    }

    async fn name_node(&self) -> Result<NameNode> {
        let credentials = match self.by {
            By::Name => Credentials::Simple { user: self.user.clone() },
            By::Token => Credentials::Token(token(self.token.as_ref().context("--token")?)?),
            By::Keytab | By::Cache => Credentials::Kerberos { login: Arc::new(self.login()?), service: self.service.parse::<Principal>()? },
        };
        let (addresses, nameservice) = (self.name_node.clone(), self.nameservice.clone());
        let (protection, proxy_user, deadline) = (self.protection, self.proxy.clone(), Duration::from_secs(self.deadline));
        let config = Config { addresses, nameservice, credentials, protection, proxy_user, deadline };
        let web = (!self.web.is_empty()).then(|| anyhow::Ok(Web { addresses: self.web.clone(), service: self.web_service.parse()? }));
        Ok(NameNode::connect(config, web.transpose()?).await?)
    }
}

fn token(file: &Path) -> Result<Token> {
    let tokens = TokenFile::read(file)?.tokens;
    // One token may be there under several names.
    let (_, first) = tokens.first().with_context(|| format!("no token in {}", file.display()))?;
    if tokens.iter().any(|(_, token)| token.identifier != first.identifier) {
        bail!("{} tokens in {}", tokens.len(), file.display());
    }
    Ok(first.clone())
}

fn print_ticket(ticket: tfcoord_kerberos::Ticket) {
    let seconds = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap_or_default().as_secs();
    let renewable = ticket.renew_till.map_or(0, |till| seconds(ticket.start, till));
    println!("{} {renewable}", seconds(ticket.start, ticket.end));
}
