//! `tfcoord doctor`.

use crate::args::{DoctorHdfs, Page};
use crate::doctor::{Finding, Status, examine};
use crate::failure::{Code, Failure};
use crate::{files, say, show};
use serde::Serialize;

/// The JSON of `-o json`.
#[derive(Serialize)]
struct Examined {
    /// Whether nothing fails.
    ok: bool,
    /// In the order in which they were made.
    findings: Vec<Finding>,
}

/// `tfcoord doctor hdfs`: exit code 1 where something fails.
///
/// # Errors
/// The location is none.
pub fn hdfs(args: &DoctorHdfs) -> Result<Code, Failure> {
    let location = args.location.as_deref().map(files::location).transpose()?;
    if let Some(local @ tfcoord_fs::storage::Location::Local(_)) = &location {
        return Err(Failure::new(Code::File, format!("{local} is not in HDFS")).help("name an address: hdfs://NAMESERVICE/PATH"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Code::Engine, format!("cannot wait for anything: {error}")))?;
    let mut written = Ok(());
    let mut tell = |finding: &Finding| {
        if args.output == Page::Text && written.is_ok() {
            written = say::line(&show::finding(finding));
        }
    };
    let findings = examine(location, args.calls, &|name| std::env::var(name).ok(), &runtime, &mut tell);
    runtime.shutdown_background();
    written?;
    let failed = findings.iter().filter(|finding| finding.status == Status::Fail).count();
    match args.output {
        Page::Json => say::json(&Examined { ok: failed == 0, findings })?,
        Page::Text if failed == 0 => say::line("nothing fails")?,
        Page::Text => say::line(&format!("{} fail: see the fixes, from the first on", show::counted(failed as u64, "thing")))?,
    }
    Ok(if failed == 0 { Code::Success } else { Code::Job })
}
