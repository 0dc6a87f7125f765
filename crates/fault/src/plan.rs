//! The plan of a process: read once, then asked at every point that is reached.

mod parse;

use crate::action::{Action, say};
use crate::{POINTS, Place, QUIET};
pub use parse::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const PLAN: &str = "TFCOORD_FAULT";
const HITS: &str = "TFCOORD_FAULT_HITS";
const ONCE: &str = "TFCOORD_FAULT_ONCE";

/// Something that is to happen at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    place: Place,
    action: Action,
    /// At which hit, from 1.
    hit: u64,
    /// Whether at every later one too.
    onwards: bool,
}

/// What this process is to do, and what it has reached.
#[derive(Debug)]
struct Plan {
    faults: Vec<Fault>,
    hits: Option<File>,
    once: Option<PathBuf>,
    counts: [AtomicU64; POINTS.len()],
}

/// The point has been reached: counts it, and does what is planned.
#[cold]
pub(crate) fn arrive(place: Place) -> io::Result<()> {
    static READ: OnceLock<Option<Plan>> = OnceLock::new();
    match READ.get_or_init(|| read().unwrap_or_else(|error| refuse(&error))) {
        Some(plan) => plan.arrive(place),
        None => {
            QUIET.store(true, Ordering::Relaxed);
            Ok(())
        }
    }
}

fn read() -> Result<Option<Plan>, Error> {
    let text = std::env::var_os(PLAN).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    let faults = parse::parse(&text)?;
    let (hits, once) = (std::env::var_os(HITS).map(PathBuf::from), std::env::var_os(ONCE).map(PathBuf::from));
    if faults.is_empty() && hits.is_none() {
        return Ok(None);
    }
    let open = |path: PathBuf| OpenOptions::new().append(true).create(true).open(&path).map_err(Error::file(HITS, &path));
    Ok(Some(Plan { faults, hits: hits.map(open).transpose()?, once, counts: [const { AtomicU64::new(0) }; POINTS.len()] }))
}

impl Plan {
    fn arrive(&self, place: Place) -> io::Result<()> {
        let hit = self.counts[place.0].fetch_add(1, Ordering::Relaxed) + 1;
        let name = POINTS[place.0].name;
        if hit == 1
            && let Some(mut file) = self.hits.as_ref()
        {
            // One write to a file that is appended to: lines of several processes do not mix.
            let line = format!("{name} {}\n", std::process::id());
            file.write_all(line.as_bytes()).unwrap_or_else(|cause| refuse(&Error::Unwritten { variable: HITS, cause }));
        }
        let due = self.faults.iter().filter(|fault| fault.place == place && fault.due(hit));
        for fault in due.filter(|fault| self.claim(fault)) {
            say(&format!("fault point {name}, hit {hit}: {}", fault.action));
            fault.action.carry_out()?;
        }
        Ok(())
    }

    /// Whether it is still to be carried out.
    fn claim(&self, fault: &Fault) -> bool {
        let Some(dir) = &self.once else { return true };
        let path = dir.join(format!("{}@{}", POINTS[fault.place.0].name, fault.hit));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => refuse(&Error::file(ONCE, &path)(error)),
        }
    }
}

impl Fault {
    fn due(&self, hit: u64) -> bool {
        hit == self.hit || (self.onwards && hit > self.hit)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test that plans nonsense must not run on as if nothing were planned")]
fn refuse(error: &Error) -> ! {
    say(&error.to_string());
    std::process::exit(2)
}
