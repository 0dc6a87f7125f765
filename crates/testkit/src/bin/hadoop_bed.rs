//! A real HDFS to try things on: prints what to export, then carries out commands from its standard input until that ends.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use std::io::{self, BufRead, Write};
use std::time::Duration;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

/// Starts a real HDFS on this machine, with a KDC of its own where it is secured.
///
/// Commands: those of tests/hadoop/README.md, and kdc-stop, kdc-resume.
#[derive(Parser)]
struct Arguments {
    /// Who may speak to it, and how it is protected.
    #[arg(long, value_enum, default_value = "privacy")]
    security: Level,
    /// Encrypt blocks with AES/CTR (privacy only).
    #[arg(long)]
    aes: bool,
    /// Two NameNodes.
    #[arg(long)]
    ha: bool,
    /// Bytes of a block, a multiple of 512.
    #[arg(long, default_value_t = 128 << 20)]
    block_size: u64,
    /// Names for the hosts of the DataNodes.
    #[arg(long, value_delimiter = ',')]
    hosts: Vec<String>,
    /// Seconds for which a ticket is good.
    #[arg(long, default_value_t = 86_400)]
    ticket_s: u64,
    /// Seconds after which a delegation token must be renewed.
    #[arg(long, default_value_t = 86_400)]
    renew_s: u64,
    /// Seconds for which a delegation token is good at most.
    #[arg(long, default_value_t = 7 * 86_400)]
    token_s: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    Simple,
    Authentication,
    Integrity,
    Privacy,
}

fn main() -> Result<()> {
    let hadoop = Hadoop::start(form(Arguments::parse())).context("it cannot be started here")?;
    let mut out = io::stdout();
    for (name, value) in hadoop.environment("alice") {
        writeln!(out, "export {name}={value}")?;
    }
    if hadoop.form().security != Security::Simple {
        writeln!(out, "kinit -k -t {} alice", hadoop.keytab("alice").display())?;
    }
    writeln!(out, "# {} WebHDFS http://localhost:{}/webhdfs/v1", hadoop.url(), hadoop.http_port(0))?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        match line?.trim() {
            "" => {}
            "kdc-stop" => hadoop.kdc().stop(),
            "kdc-resume" => hadoop.kdc().resume(),
            command => match hadoop.try_command(command) {
                Ok(answer) => writeln!(out, "OK {answer}")?,
                Err(error) => writeln!(out, "ERROR {error}")?,
            },
        }
    }
    Ok(())
}

fn form(arguments: Arguments) -> Form {
    let security = match arguments.security {
        Level::Simple => Security::Simple,
        Level::Authentication => Security::Authentication,
        Level::Integrity => Security::Integrity,
        Level::Privacy => Security::Privacy,
    };
    let mut form = Form::new(security);
    form.aes = arguments.aes;
    form.high_availability = arguments.ha;
    form.block_size = arguments.block_size;
    form.hosts = arguments.hosts;
    form.lives.ticket = Duration::from_secs(arguments.ticket_s);
    form.token_renew_interval = Duration::from_secs(arguments.renew_s);
    form.token_life_max = Duration::from_secs(arguments.token_s);
    form
}
