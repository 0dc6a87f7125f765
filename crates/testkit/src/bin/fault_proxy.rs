//! `tfcoord-fault-proxy [duplicate=N] [replay=N] [reorder=N] [seed=N] [kill=WORKER:STEP] -- PROGRAM ARG…`: runs a
//! parameter server behind a proxy that disturbs its exchange, each so many percent of the messages, and kills a
//! worker between two chunks of a step. What it writes lies in the server's own directory (`--dir`): it is killed
//! with it, and removes nothing.

use anyhow::Context;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tfcoord_testkit::fault_proxy::{Disturbance, Kill, serve};
use tokio::net::TcpListener;
use tokio::process::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let end = arguments.iter().position(|a| a == "--").context("no -- before the program")?;
    let (options, program) = (&arguments[..end], &arguments[end + 1..]);
    let (program, program_arguments) = program.split_first().context("no program behind --")?;
    let mut what = Disturbance::default();
    let mut kill = None;
    for option in options {
        let (name, value) = option.split_once('=').with_context(|| format!("{option:?} is no option"))?;
        match name {
            "duplicate" => what.duplicate = value.parse()?,
            "replay" => what.replay = value.parse()?,
            "reorder" => what.reorder = value.parse()?,
            "seed" => what.seed = value.parse()?,
            "kill" => {
                let (worker, step) = value.split_once(':').context("kill=WORKER:STEP")?;
                kill = Some(Kill::new(worker.parse()?, step.parse()?));
            }
            _ => anyhow::bail!("{name:?} is no option"),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dir = program_arguments.iter().skip_while(|a| *a != "--dir").nth(1).context("the program has no --dir")?;
    let addresses = Path::new(dir).join("proxied-addresses");
    let mut server = Command::new(program)
        .args(program_arguments)
        .env("TFCOORD_ADVERTISE", listener.local_addr()?.to_string())
        .env("TFCOORD_ADDRESS_FILE", &addresses)
        .kill_on_drop(true)
        .spawn()?;
    let upstream = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Ok(text) = std::fs::read_to_string(&addresses)
                && let Some(tcp) = text.lines().find(|line| !line.starts_with("unix:"))
            {
                return tcp.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the server's addresses, up to the timeout
        }
    });
    let upstream = upstream.await.context("the server wrote no addresses")?;
    tokio::select! {
        served = serve(listener, &upstream, what, kill) => served.map(|()| ExitCode::FAILURE),
        status = server.wait() => Ok(ExitCode::from(status?.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1))),
    }
}
