//! What `krb5.conf` says of realms, for people: Kerberos' own library reads it by itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const USUAL: &str = "/etc/krb5.conf";
const FILE_MAX: u64 = 1 << 20;
/// Files that include files that include …
const DEPTH_MAX: u32 = 4;
const PORT: u16 = 88;

/// What the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Realms {
    /// Which files it is made of.
    pub files: Vec<PathBuf>,
    /// Of whoever names none.
    pub default_realm: Option<String>,
    /// Each realm's KDCs, `host:port`.
    kdcs: Vec<(String, String)>,
}

/// Where it is looked for.
pub fn places(environment: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    match environment("KRB5_CONFIG").filter(|value| !value.is_empty()) {
        Some(list) => list.split(':').filter(|file| !file.is_empty()).map(PathBuf::from).collect(),
        None => vec![PathBuf::from(USUAL)],
    }
}

impl Realms {
    /// Of those `files` that are there.
    ///
    /// # Errors
    /// None can be read.
    pub fn read(files: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let mut realms = Self::default();
        let mut last = (PathBuf::from(USUAL), io::ErrorKind::NotFound.into());
        for file in files {
            if let Err(error) = realms.file(file, DEPTH_MAX) {
                last = (file.clone(), error);
            }
        }
        if realms.files.is_empty() { Err(last) } else { Ok(realms) }
    }

    /// The KDCs of a realm.
    pub fn kdcs_of<'a>(&'a self, realm: &'a str) -> impl Iterator<Item = &'a str> {
        self.kdcs.iter().filter(move |(name, _)| name == realm).map(|(_, kdc)| kdc.as_str())
    }

    fn file(&mut self, path: &Path, depth: u32) -> io::Result<()> {
        if fs::metadata(path)?.len() > FILE_MAX {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        self.files.push(path.to_owned());
        let (mut section, mut realm) = (String::new(), None::<String>);
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(name) = line.strip_prefix('[') {
                (section, realm) = (name.split(']').next().unwrap_or_default().to_owned(), None);
            } else if let Some((word, file)) = line.split_once(char::is_whitespace).filter(|(word, _)| word.starts_with("include")) {
                self.include(word, Path::new(file.trim()), depth);
            } else if line.starts_with('}') {
                realm = None;
            } else if let Some((name, value)) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                match (section.as_str(), &realm) {
                    ("libdefaults", _) if name == "default_realm" && self.default_realm.is_none() => {
                        self.default_realm = Some(value.to_owned());
                    }
                    ("realms", None) if value.starts_with('{') => realm = Some(name.to_owned()),
                    ("realms", Some(realm)) if name == "kdc" => self.kdcs.push((realm.clone(), with_port(value))),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    // What cannot be included is not there for Kerberos either.
    fn include(&mut self, word: &str, path: &Path, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if word == "include" {
            let _ = self.file(path, depth);
            return;
        }
        let mut files: Vec<PathBuf> = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        let counts = |name: &str| name.ends_with(".conf") || name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        files.retain(|file| file.is_file() && file.file_name().and_then(|name| name.to_str()).is_some_and(counts));
        for file in files {
            let _ = self.file(&file, depth);
        }
    }
}

fn with_port(kdc: &str) -> String {
    let kdc = kdc.trim_start_matches("tcp/").trim_start_matches("udp/");
    let has_port = kdc.rsplit_once(':').is_some_and(|(host, port)| !host.ends_with(':') && port.parse::<u16>().is_ok());
    if has_port { kdc.to_owned() } else { format!("{kdc}:{PORT}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_and_their_kdcs_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("more.d")).unwrap();
        fs::write(path("more.d/b"), "[realms]\nB = {\n kdc = b.site\n}\n").unwrap();
        fs::write(path("more.d/no~"), "[realms]\nC = {\n kdc = c\n}\n").unwrap();
        let text = format!(
            "includedir {}\n[libdefaults]\n # default_realm = NO\n default_realm = A\n[realms]\nA={{\n kdc = a1:89\n kdc=a2\n admin_server = x\n}}\n[other]\nkdc = no\n",
            path("more.d").display()
        );
        fs::write(path("krb5.conf"), text).unwrap();
        let realms = Realms::read(&[path("absent"), path("krb5.conf")]).unwrap();
        assert_eq!(realms.files, [path("krb5.conf"), path("more.d/b")]);
        let of = |realm| realms.kdcs_of(realm).collect::<Vec<_>>();
        assert_eq!(
            (realms.default_realm.as_deref(), of("A"), of("B"), of("C")),
            (Some("A"), vec!["a1:89", "a2:88"], vec!["b.site:88"], vec![])
        );
        assert!(Realms::read(&[path("absent")]).is_err());
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("krb5.conf");
        fs::write(&file, format!("include {}\n", file.display())).unwrap();
        assert_eq!(Realms::read(&[file]).unwrap().files.len(), 1 + DEPTH_MAX as usize);
    }
}
