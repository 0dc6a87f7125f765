//! Names of a data set's files: relative, harmless, and each there once.

use super::Unfit;
use std::collections::HashMap;

/// The longest name, in bytes, with all directories.
const LENGTH_MAX: usize = 1024;

/// The name that an archive's entry, or a path below a directory, stands for; none for the directory itself.
///
/// # Errors
/// It would lead elsewhere, or nobody could type it.
pub fn clean(raw: &[u8]) -> Result<Option<String>, Unfit> {
    let bad = |why| Unfit::Name { name: String::from_utf8_lossy(raw).chars().take(200).collect(), why };
    let text = std::str::from_utf8(raw).map_err(|_| bad("is not UTF-8"))?;
    if text.starts_with('/') {
        return Err(bad("is absolute"));
    }
    if text.chars().any(char::is_control) {
        return Err(bad("has a control character"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(bad("leads out of the data set"));
    }
    let name = parts.join("/");
    if name.len() > LENGTH_MAX {
        return Err(bad("is too long"));
    }
    Ok((!name.is_empty()).then_some(name))
}

/// All names so far.
pub struct Names {
    // Whether each is a directory.
    taken: HashMap<String, bool>,
    max: usize,
}

impl Names {
    /// None yet, and at most so many.
    pub fn new(max: usize) -> Self {
        Self { taken: HashMap::new(), max }
    }

    /// Takes a name, and those of the directories above it.
    ///
    /// # Errors
    /// A file has it already, or one above it; or there are too many.
    pub fn take(&mut self, name: &str, is_directory: bool) -> Result<(), Unfit> {
        let above = name.match_indices('/').map(|(at, _)| &name[..at]);
        for directory in above {
            self.insert(directory, true)?;
        }
        self.insert(name, is_directory)
    }

    fn insert(&mut self, name: &str, is_directory: bool) -> Result<(), Unfit> {
        match self.taken.get(name) {
            // Archives name a directory as often as they like.
            Some(true) if is_directory => Ok(()),
            Some(_) => Err(Unfit::Twice { name: name.to_owned() }),
            None if self.taken.len() >= self.max => Err(Unfit::Entries { max: self.max }),
            None => {
                self.taken.insert(name.to_owned(), is_directory);
                Ok(())
            }
        }
    }

    /// How many of them are directories.
    pub fn directories(&self) -> usize {
        self.taken.values().filter(|is_directory| **is_directory).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_their_directory() {
        let clean = |name: &str| clean(name.as_bytes());
        assert_eq!(clean("./a//b/./c.csv/").unwrap().as_deref(), Some("a/b/c.csv"));
        assert_eq!(clean("a..b/...").unwrap().as_deref(), Some("a..b/..."));
        for root in ["", ".", "./", ".//."] {
            assert_eq!(clean(root).unwrap(), None, "{root}");
        }
        for (name, why) in [("/etc/passwd", "absolute"), ("a/../../b", "out of"), ("..", "out of"), ("a\nb", "control"), ("a\0", "control")]
        {
            assert!(clean(name).unwrap_err().to_string().contains(why), "{name}");
        }
        assert!(clean(&"x/".repeat(600)).unwrap_err().to_string().contains("too long"));
        assert!(super::clean(b"a\xff").unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn each_name_is_there_once() {
        let mut names = Names::new(10);
        names.take("a/b/c", false).unwrap();
        names.take("a/b", true).unwrap();
        names.take("a/b/d", false).unwrap();
        for (name, is_directory) in [("a/b/c", false), ("a/b/c", true), ("a/b", false), ("a/b/c/e", false)] {
            assert!(matches!(names.take(name, is_directory), Err(Unfit::Twice { .. })), "{name}");
        }
        assert_eq!(names.directories(), 2);
    }

    #[test]
    fn directories_that_nobody_named_count_too() {
        let mut names = Names::new(3);
        assert!(matches!(names.take("a/b/c/d", false), Err(Unfit::Entries { max: 3 })));
    }
}
