//! `tfcoord logs`.

use crate::args::Logs;
use crate::connection::Connection;
use crate::failure::{Code, Failure};
use crate::say;
use crate::show::{Painter, RESTARTED};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use tfcoord_proto::v1;
use tonic::Status;

/// Prints what a job's tasks printed. After a break the lines come from the beginning again: those that were
/// printed are counted, and left out.
///
/// # Errors
/// When there is no such job or task, or no coordinator.
pub async fn run(args: &Logs, mut connection: Connection) -> Result<Code, Failure> {
    let mut printed = Printed { painter: painter(), lines: BTreeMap::new() };
    loop {
        let status = match read(args, &mut connection, &mut printed).await? {
            Ok(()) => return Ok(Code::Success),
            Err(status) => status,
        };
        connection.again(status).await?;
        connection.client().await?;
        if connection.was_restarted() {
            eprintln!("{RESTARTED}");
        }
    }
}

async fn read(args: &Logs, connection: &mut Connection, printed: &mut Printed) -> Result<Result<(), Status>, Failure> {
    let task = args.task.map(|task| task.to_string()).unwrap_or_default();
    let request = v1::LogsRequest { job: args.job.to_string(), task, follow: args.follow };
    let mut stream = match connection.client().await?.logs(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    let mut skip = printed.lines.clone();
    loop {
        match stream.message().await {
            Ok(Some(lines)) => {
                connection.answered();
                printed.print(&lines, &mut skip)?;
            }
            Ok(None) => return Ok(Ok(())),
            Err(status) => return Ok(Err(status)),
        }
    }
}

type LineCounts = BTreeMap<(String, u32), u64>;

struct Printed {
    painter: Painter,
    lines: LineCounts,
}

impl Printed {
    fn print(&mut self, lines: &v1::LogLines, skip: &mut LineCounts) -> Result<(), Failure> {
        let key = (lines.task.clone(), lines.attempt);
        for text in &lines.lines {
            match skip.get_mut(&key).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => {
                    say::line(&self.painter.line(&lines.task, lines.attempt, text))?;
                    *self.lines.entry(key.clone()).or_default() += 1;
                }
            }
        }
        Ok(())
    }
}

fn painter() -> Painter {
    let terminal = std::io::stdout().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Painter { terminal, colour }
}
