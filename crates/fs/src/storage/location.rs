//! Where a file or directory is, as users write it.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

/// The place of a file or directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// On this machine, or on what is mounted there.
    Local(PathBuf),
    /// In HDFS.
    Remote(Remote),
}

/// A place in HDFS. Places are in the order of their paths' names, as paths of this machine are: `a/z` before `a.b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    scheme: Scheme,
    authority: String,
    path: String,
}

/// How a place in HDFS is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// By a NameNode or a nameservice.
    Hdfs,
    /// By a table of mounts over several of them.
    Viewfs,
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Of a kind that is not known here.
    #[error("{text}: the scheme {scheme} is not supported: give a path, file://, hdfs:// or viewfs://")]
    Scheme {
        /// All of it.
        text: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// A `file://` of another machine.
    #[error("{text}: a file:// is on this machine: write file:///path, with three slashes")]
    Host {
        /// All of it.
        text: String,
    },
    /// `user@host`, or characters that no host name has.
    #[error("{text}: {authority:?} is no NameNode or nameservice: write hdfs://host:port/path or hdfs://nameservice/path")]
    Authority {
        /// All of it.
        text: String,
        /// What stands between `://` and the path.
        authority: String,
    },
    /// HDFS knows no way up.
    #[error("{text}: HDFS does not follow \"..\": write the path without it")]
    Up {
        /// All of it.
        text: String,
    },
    /// Nothing, or an invisible character.
    #[error("{text:?} names no file: give a path")]
    Empty {
        /// All of it.
        text: String,
    },
    /// Relative, and nothing that it is relative to.
    #[error("{text} is relative, and nothing says to what: give all of the path")]
    Relative {
        /// All of it.
        text: String,
    },
}

impl Location {
    /// Of `hdfs://…`, `viewfs://…`, `file:///…` or a path, which is taken below `base` if it is relative. Nothing is decoded:
    /// as in Hadoop `%20` is three characters.
    ///
    /// # Errors
    /// It names no place.
    pub fn parse(text: &str, base: Option<&Self>) -> Result<Self, Invalid> {
        let whole = || text.to_owned();
        if text.is_empty() || text.contains('\0') {
            return Err(Invalid::Empty { text: whole() });
        }
        let Some((scheme, rest)) = scheme(text) else {
            return match base {
                _ if text.starts_with('/') => Ok(Self::Local(text.into())),
                Some(Self::Local(base)) => Ok(Self::Local(base.join(text))),
                Some(Self::Remote(base)) => {
                    let path = clean(&format!("{}/{text}", base.path)).ok_or_else(|| Invalid::Up { text: whole() })?;
                    Ok(Self::Remote(Remote { path, ..base.clone() }))
                }
                None => Err(Invalid::Relative { text: whole() }),
            };
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "file" if !matches!(authority, "" | "localhost") => return Err(Invalid::Host { text: whole() }),
            "file" if path.is_empty() => return Err(Invalid::Empty { text: whole() }),
            "file" => return Ok(Self::Local(path.into())),
            "hdfs" => Scheme::Hdfs,
            "viewfs" => Scheme::Viewfs,
            _ => return Err(Invalid::Scheme { text: whole(), scheme: scheme.to_owned() }),
        };
        if !authority.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c)) {
            return Err(Invalid::Authority { text: whole(), authority: authority.to_owned() });
        }
        let path = clean(path).ok_or_else(|| Invalid::Up { text: whole() })?;
        Ok(Self::Remote(Remote { scheme, authority: authority.to_owned(), path }))
    }

    /// That of `name` in this directory; `name` may be several, with slashes between them.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let name = name.trim_start_matches('/');
        match self {
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Remote(remote) => {
                let path = format!("{}/{name}", remote.path.trim_end_matches('/'));
                Self::Remote(Remote { path, ..remote.clone() })
            }
        }
    }

    /// Its last name; none of a root.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Local(path) => path.file_name()?.to_str(),
            Self::Remote(remote) => remote.path.rsplit('/').next().filter(|name| !name.is_empty()),
        }
    }

    /// The directory it is in; none of a root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Local(path) => path.parent().map(|parent| Self::Local(parent.to_owned())),
            Self::Remote(remote) => {
                let (parent, name) = remote.path.rsplit_once('/')?;
                let path = if parent.is_empty() { "/" } else { parent }.to_owned();
                (!name.is_empty()).then(|| Self::Remote(Remote { path, ..remote.clone() }))
            }
        }
    }
}

impl Remote {
    /// Which of the two.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A NameNode's `host:port`, a nameservice, `default` or nothing for the site's default; for viewfs a table of mounts.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// From the root on: begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Ord for Remote {
    fn cmp(&self, other: &Self) -> Ordering {
        let named = (self.scheme, &self.authority).cmp(&(other.scheme, &other.authority));
        named.then_with(|| self.path.split('/').cmp(other.path.split('/')))
    }
}

impl PartialOrd for Remote {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Display for Scheme {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hdfs => "hdfs",
            Self::Viewfs => "viewfs",
        })
    }
}

impl Display for Location {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(Remote { scheme, authority, path }) => write!(f, "{scheme}://{authority}{path}"),
        }
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::Local(path)
    }
}

// What stands before and after `://`, if the text begins like an address (RFC 3986, 3.1).
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (named && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))).then_some((scheme, rest))
}

// Without doubled slashes, `.` and a slash at the end; none if it goes up.
fn clean(path: &str) -> Option<String> {
    let names: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    (!names.contains(&"..")).then(|| format!("/{}", names.join("/")))
}

#[cfg(test)]
mod tests;
