//! Which hosts hold the training records.
//!
//! File systems know it of bytes, work is dealt by records: those of a file are taken for equally long. Files that are
//! compressed are read whole by everybody who reads of them, so nobody is near them.

use crate::error::Error;
use crate::files::Files;
use crate::reader::{data_identity, labels_identity};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};
use tfcoord_fs::storage::{self, Held, Location};
use tfcoord_types::holders::{HOST_BYTES_MAX, HOSTS_MAX, Holders, RUN_HOSTS_MAX, RUNS_MAX, Run, run, scaled};
use tfcoord_types::manifest::{DataSet, Derived, Manifest};

/// Of data sets of very many files it is asked so long, and of the rest nothing is known.
const ASKED_FOR: Duration = Duration::from_secs(60);

/// Which hosts hold the manifest's training records, and what kept that from being told, if something did. Nothing where they
/// are all on this machine.
///
/// # Errors
/// The manifest names files by no locations.
pub fn holders(manifest: &Manifest, files: &Files) -> Result<Option<(Holders, Option<storage::Error>)>, Error> {
    let mut parts = Vec::new();
    let mut first = 0;
    for file in &manifest.train.files {
        let labels = labels_identity(file)?.map(|labels| (labels.at.clone(), labels.derived(Derived::Unpacked), labels.length));
        let data = data_identity(file)?;
        let data = (data.at.clone(), data.derived(Derived::Unpacked), data.length);
        for (at, unpacked, length) in [Some(data), labels].into_iter().flatten() {
            if let Location::Remote(_) = at {
                let packed = files.scratch.dir.join(unpacked).exists();
                parts.push(Part { at, length, records: first..first + file.records, packed });
            }
        }
        first += file.records;
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let begun = Instant::now();
    let ask = |part: &Part| match begun.elapsed() < ASKED_FOR {
        true => files.system(&part.at)?.held(&part.at, 0..part.length).map(Some),
        false => Ok(None),
    };
    Ok(Some(match gather(&manifest.train, &parts, ask) {
        Ok(found) => (found, None),
        Err(problem) => (Holders::default(), Some(problem)),
    }))
}

/// A file, and which records it has of those of all files.
struct Part {
    at: Location,
    length: u64,
    records: Range<u64>,
    packed: bool,
}

// What `ask` tells of each part, by runs of the records that are used. What it does not tell is held by nobody.
fn gather(
    set: &DataSet,
    parts: &[Part],
    ask: impl Fn(&Part) -> Result<Option<Vec<Held>>, storage::Error>,
) -> Result<Holders, storage::Error> {
    let count = set.records.min(RUNS_MAX);
    let mut runs = vec![Found::default(); usize::try_from(count).expect("at most RUNS_MAX")];
    let mut names = Names::default();
    for part in parts {
        let held = if part.packed { None } else { ask(part)? }.unwrap_or_default();
        for (number, found) in (0..).zip(&mut runs) {
            let range = run(set.records, count, number);
            let records = set.first + range.start..set.first + range.end;
            if records.end <= part.records.start || records.start >= part.records.end {
                continue;
            }
            let bytes = part.bytes_of(&records);
            found.bytes += bytes.end - bytes.start;
            // Those of a file are in order.
            let from = held.partition_point(|held| held.bytes.end <= bytes.start);
            for held in held[from..].iter().take_while(|held| held.bytes.start < bytes.end) {
                let common = held.bytes.end.min(bytes.end).saturating_sub(held.bytes.start.max(bytes.start));
                for host in held.hosts.iter().filter_map(|host| names.number(host)) {
                    *found.held.entry(host).or_default() += common;
                }
            }
        }
    }
    Ok(names.shorten(runs))
}

impl Part {
    // Its bytes that hold these records, of those of all files.
    fn bytes_of(&self, records: &Range<u64>) -> Range<u64> {
        let count = self.records.end - self.records.start;
        let at = |record: u64| scaled(self.length, record.clamp(self.records.start, self.records.end) - self.records.start, count);
        at(records.start)..at(records.end)
    }
}

#[derive(Debug, Clone, Default)]
struct Found {
    bytes: u64,
    held: BTreeMap<u32, u64>,
}

/// Numbers for the names of hosts, as many as are told in the end and some more.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, u32>);

impl Names {
    fn number(&mut self, host: &str) -> Option<u32> {
        if let Some(number) = self.0.get(host) {
            return Some(*number);
        }
        if self.0.len() == 16 * HOSTS_MAX || host.len() > HOST_BYTES_MAX || host.is_empty() {
            return None;
        }
        let number = u32::try_from(self.0.len()).ok()?;
        self.0.insert(host.to_owned(), number);
        Some(number)
    }

    // Those that hold most, of each run and of all.
    fn shorten(self, mut runs: Vec<Found>) -> Holders {
        let mut totals: BTreeMap<u32, u64> = BTreeMap::new();
        for found in &mut runs {
            most(&mut found.held, RUN_HOSTS_MAX);
            found.held.iter().for_each(|(host, bytes)| *totals.entry(*host).or_default() += bytes);
        }
        most(&mut totals, HOSTS_MAX);
        // By name, so that the same data have the same holders.
        let hosts: Vec<(String, u32)> = self.0.into_iter().filter(|(_, number)| totals.contains_key(number)).collect();
        let places: BTreeMap<u32, u32> = hosts.iter().map(|(_, number)| *number).zip(0..).collect();
        let run = |found: Found| {
            let mut held: Vec<(u32, u64)> = found.held.into_iter().filter_map(|(host, bytes)| Some((*places.get(&host)?, bytes))).collect();
            held.sort_unstable();
            Run { bytes: found.bytes, held }
        };
        Holders { hosts: hosts.into_iter().map(|(name, _)| name).collect(), runs: runs.into_iter().map(run).collect() }
    }
}

fn most(held: &mut BTreeMap<u32, u64>, count: usize) {
    if held.len() > count {
        let mut all: Vec<(u64, u32)> = held.iter().map(|(host, bytes)| (*bytes, *host)).collect();
        all.sort_unstable();
        *held = all[all.len() - count..].iter().map(|(bytes, host)| (*host, *bytes)).collect();
    }
}

#[cfg(test)]
mod tests;
