//! Where a data set lies before it has its name: beside that, under a name that tells whose it is.
//!
//! ```text
//! .NAME.put-OWNER   not complete yet
//! .NAME.old-OWNER   what had the name before; it has it again if the new one never gets it
//! ```

use super::Error;
use super::owner::{Life, Owner};
use std::time::{Duration, SystemTime};
use tfcoord_fs::storage::{FileSystem, Location, Problem};

/// Of another machine, nobody can tell whether its process lives; after this long without a new file it does not.
const OLD: Duration = Duration::from_hours(24);

/// A directory that goes away unless it gets its name.
pub struct Staging<'a> {
    system: &'a dyn FileSystem,
    target: &'a Location,
    at: Location,
    aside: Location,
    keep: bool,
}

/// What earlier processes left.
#[derive(Debug, Default)]
pub struct Left {
    /// Removed, or given its name back.
    pub settled: Vec<String>,
    /// Of other machines, and not old.
    pub doubtful: Vec<String>,
}

impl<'a> Staging<'a> {
    /// Settles what dead processes left, and makes the directory.
    ///
    /// # Errors
    /// A living process of this machine puts the same; or the file system refuses.
    pub fn begin(system: &'a dyn FileSystem, target: &'a Location) -> Result<(Self, Left), Error> {
        let Some((directory, name)) = target.parent().zip(target.name()) else {
            let remedy = "give the data set a name: hdfs:///data/NAME".to_owned();
            return Err(Error::Target { target: target.to_string(), why: "is a root, and no name of a data set", remedy });
        };
        system.make_directory(&directory)?;
        let left = sweep(system, &directory, target, name)?;
        let owner = Owner::this().map_err(|error| Error::Source { path: "/proc".into(), problem: error.into() })?;
        let [at, aside] = ["put", "old"].map(|what| directory.join(&format!(".{name}.{what}-{owner}")));
        system.make_directory(&at)?;
        Ok((Self { system, target, at, aside, keep: false }, left))
    }

    /// Where files go.
    pub fn at(&self) -> &Location {
        &self.at
    }

    /// Gives it its name. What has that is moved aside first and then removed, if it is to be replaced.
    ///
    /// # Errors
    /// Somebody took the name, or the file system refuses; what had it has it still, or again.
    pub fn commit(mut self, replace: bool) -> Result<(), Error> {
        let moved = match replace.then(|| self.system.rename(self.target, &self.aside)) {
            Some(Err(error)) if !matches!(error.problem, Problem::Missing) => return Err(error.into()),
            Some(Ok(())) => true,
            _ => false,
        };
        if let Err(error) = self.system.rename(&self.at, self.target) {
            // Whether it has its name is not known: nothing is touched any more.
            self.keep = matches!(error.problem, Problem::Undecided { .. });
            if moved && !self.keep {
                self.system.rename(&self.aside, self.target)?;
            }
            return Err(match error.problem {
                Problem::Exists => Error::Exists { target: self.target.to_string() },
                _ => error.into(),
            });
        }
        self.keep = true;
        if moved {
            self.system.delete(&self.aside)?;
        }
        Ok(())
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // Where it cannot be removed, the next one does it.
            let _ = self.system.delete(&self.at);
        }
    }
}

fn sweep(system: &dyn FileSystem, directory: &Location, target: &Location, name: &str) -> Result<Left, Error> {
    let mut left = Left::default();
    for entry in system.list(directory)? {
        let of = |what: &str| entry.name.strip_prefix(&format!(".{name}.{what}-")).and_then(Owner::parse);
        let (owner, is_old) = match (of("put"), of("old")) {
            (Some(owner), _) => (owner, false),
            (_, Some(owner)) => (owner, true),
            _ => continue,
        };
        let at = directory.join(&entry.name);
        match owner.life() {
            Life::Alive if owner.pid == std::process::id() => continue,
            Life::Alive => return Err(Error::Underway { target: target.to_string(), pid: owner.pid }),
            Life::Elsewhere if !is_stale(entry.status.modified_ns) => {
                left.doubtful.push(at.to_string());
                continue;
            }
            Life::Elsewhere | Life::Dead => {}
        }
        let gone = is_old && matches!(system.stat(target), Err(error) if matches!(error.problem, Problem::Missing));
        if gone {
            system.rename(&at, target)?;
        } else {
            system.delete(&at)?;
        }
        left.settled.push(at.to_string());
    }
    Ok(left)
}

fn is_stale(modified_ns: u64) -> bool {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_nanos(modified_ns);
    modified.elapsed().is_ok_and(|age| age > OLD)
}
