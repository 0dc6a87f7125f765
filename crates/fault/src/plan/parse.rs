//! The text of a plan.

use super::Fault;
use crate::action::Action;
use crate::{Kind, POINTS, Place};
use std::io;
use std::path::{Path, PathBuf};

/// A plan that makes no sense, or cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No `=` in it.
    #[error("TFCOORD_FAULT: {entry:?} is not NAME=ACTION[@HIT[+]], as in log.append.synced=kill@3")]
    Entry {
        /// The entry.
        entry: String,
    },
    /// A name that is not in the table.
    #[error("TFCOORD_FAULT: {name:?} is no fault point: docs/fault-points.md lists them")]
    Name {
        /// The name.
        name: String,
    },
    /// Not something that can happen.
    #[error("TFCOORD_FAULT: {action:?} of {name} is none of kill, stop, delay:50ms, delay:2s, eio, enospc")]
    Action {
        /// The point.
        name: String,
        /// What should happen there.
        action: String,
    },
    /// An error where nothing is read or written.
    #[error("TFCOORD_FAULT: {name} does no input or output that could fail: plan kill, stop or delay there")]
    NotIo {
        /// The point.
        name: String,
    },
    /// Hits are counted from 1.
    #[error("TFCOORD_FAULT: {hit:?} of {name} is no hit: write a number from 1, and + behind it for all later ones too")]
    Hit {
        /// The point.
        name: String,
        /// What stands behind the `@`.
        hit: String,
    },
    /// A file that the plan needs.
    #[error("{variable}: cannot make {path}: {cause}: name a place that can be written to")]
    File {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Hits that cannot be noted.
    #[error("{variable}: cannot write: {cause}: name a place that can be written to")]
    Unwritten {
        /// The variable that names the file.
        variable: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

impl Error {
    pub(super) fn file(variable: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::File { variable, path: path.to_owned(), cause }
    }
}

pub(super) fn parse(text: &str) -> Result<Vec<Fault>, Error> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(fault).collect()
}

fn fault(entry: &str) -> Result<Fault, Error> {
    let (name, rest) = entry.split_once('=').ok_or_else(|| Error::Entry { entry: entry.to_owned() })?;
    let at = POINTS.iter().position(|point| point.name == name).ok_or_else(|| Error::Name { name: name.to_owned() })?;
    let (action, hit) = rest.split_once('@').unwrap_or((rest, "1"));
    let (number, onwards) = hit.strip_suffix('+').map_or((hit, false), |number| (number, true));
    let number = number.parse().ok().filter(|number| *number > 0);
    let hit = number.ok_or_else(|| Error::Hit { name: name.to_owned(), hit: hit.to_owned() })?;
    let action = Action::parse(action).ok_or_else(|| Error::Action { name: name.to_owned(), action: action.to_owned() })?;
    if matches!(action, Action::Fail(_)) && POINTS[at].kind != Kind::Io {
        return Err(Error::NotIo { name: name.to_owned() });
    }
    Ok(Fault { place: Place(at), action, hit, onwards })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place;
    use std::time::Duration;

    #[test]
    fn a_plan_says_where_what_and_when() {
        let plan = parse(" log.append.synced=kill@3,log.append.sync=eio@2+, log.append.written=delay:50ms,").unwrap();
        let synced = place("log.append.synced", Kind::Plain);
        let written = place("log.append.written", Kind::Plain);
        let sync = place("log.append.sync", Kind::Io);
        let expected = [
            Fault { place: synced, action: Action::Kill, hit: 3, onwards: false },
            Fault { place: sync, action: Action::Fail(rustix::io::Errno::IO), hit: 2, onwards: true },
            Fault { place: written, action: Action::Delay(Duration::from_millis(50)), hit: 1, onwards: false },
        ];
        assert_eq!(plan, expected);
        let due = |fault: usize| (1..=4).filter(|hit| expected[fault].due(*hit)).collect::<Vec<_>>();
        assert_eq!([due(0), due(1), due(2)], [vec![3], vec![2, 3, 4], vec![1]]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let check = |text: &str, expect: &str| {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("TFCOORD_FAULT: ") && error.contains(expect), "{text}: {error}");
        };
        check("kill", "\"kill\" is not NAME=ACTION");
        check("log.append.sunk=kill", "\"log.append.sunk\" is no fault point");
        check("log.append.synced=explode", "\"explode\" of log.append.synced");
        check("log.append.synced=delay:50", "\"delay:50\"");
        check("log.append.synced=kill@0", "\"0\" of log.append.synced is no hit");
        check("log.append.synced=kill@-1", "\"-1\"");
        check("log.append.synced=kill@+", "\"+\"");
        check("log.append.synced=eio", "no input or output");
    }
}
