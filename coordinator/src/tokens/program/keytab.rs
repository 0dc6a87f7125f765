//! A keytab by reference: the file itself, or one that holds its bytes in base64.

use super::Failure;
use base64::prelude::{BASE64_STANDARD, Engine};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use tfcoord_kerberos::{Error, Kerberos, Login, Place, Principal};
use zeroize::Zeroizing;

/// The first byte of every keytab (MIT's "Keytab file format").
const FIRST: u8 = 5;
/// Larger than any keytab, in bytes.
const BYTES_MAX: u64 = 4 << 20;

/// A keytab where the library finds it.
enum Keytab {
    There(PathBuf),
    // In memory, so that it is on no disk: gone with this process.
    Decoded(File),
}

/// Logs in with the principal's key.
///
/// # Errors
/// The keytab is none, or of somebody else; the KDC refuses, or does not answer.
pub fn log_in(kerberos: &Kerberos, path: &Path, principal: &str) -> Result<Login, Failure> {
    let keytab = open(path)?;
    let file = match &keytab {
        Keytab::There(path) => path.clone(),
        Keytab::Decoded(file) => format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
    };
    // Errors name the file that people know.
    let named = |error: Error| {
        let failure = Failure::from(error);
        Failure { text: failure.text.replace(&file.display().to_string(), &path.display().to_string()), ..failure }
    };
    let holds = kerberos.principals_in(&file).map_err(named)?;
    let principal = with_realm(principal.parse()?, &holds)?;
    kerberos.login(&principal, &file, Place::Memory).map_err(named)
}

fn open(path: &Path) -> Result<Keytab, Failure> {
    let unreadable = |cause| Failure::from(Error::KeytabUnreadable { path: path.to_owned(), cause });
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is no regular file")));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.first() == Some(&FIRST) {
        return Ok(Keytab::There(path.to_owned()));
    }
    bytes.retain(|byte| !byte.is_ascii_whitespace());
    let decoded = BASE64_STANDARD.decode(&*bytes).map(Zeroizing::new).ok().filter(|decoded| decoded.first() == Some(&FIRST));
    let Some(decoded) = decoded.filter(|_| bytes.len() as u64 <= BYTES_MAX) else {
        let cause = "it begins like no keytab, nor like one in base64".into();
        return Err(Error::KeytabMalformed { path: path.to_owned(), cause }.into());
    };
    let memory = memfd_create("keytab", MemfdFlags::CLOEXEC).map_err(|error| unreadable(error.into()))?;
    let mut memory = File::from(memory);
    memory.write_all(&decoded).map_err(unreadable)?;
    Ok(Keytab::Decoded(memory))
}

// NameNodes want to know the renewer with his realm: the keytab says it, where the job file does not.
fn with_realm(principal: Principal, holds: &[String]) -> Result<Principal, Failure> {
    if principal.realm().is_some() {
        return Ok(principal);
    }
    let begin = format!("{principal}@");
    let mut named = holds.iter().filter(|held| held.starts_with(&begin));
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only.parse()?),
        _ => Ok(principal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(bytes: &[u8]) -> Result<Keytab, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alice.keytab");
        std::fs::write(&path, bytes).unwrap();
        open(&path)
    }

    #[test]
    fn base64_is_decoded_into_memory() {
        assert!(matches!(opened(b"\x05\x02key"), Ok(Keytab::There(_))));
        let text = format!("{}\n", BASE64_STANDARD.encode(b"\x05\x02key"));
        let Ok(Keytab::Decoded(file)) = opened(text.as_bytes()) else { panic!("it is not decoded") };
        assert_eq!(std::fs::read(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap(), b"\x05\x02key");
    }

    #[test]
    fn what_is_no_keytab_is_told() {
        for bytes in [&b""[..], b"hello", b"aGVsbG8="] {
            let failure = opened(bytes).err().unwrap();
            assert!(failure.text.contains("alice.keytab: it begins like no keytab"), "{}", failure.text);
            assert_eq!(failure.field.as_deref(), Some("service.security.kerberos.keytab_secret"));
        }
        assert!(open(Path::new("/")).err().unwrap().text.contains("no regular file"));
    }

    #[test]
    fn the_realm_is_the_keytabs() {
        let with_realm = |name: &str, holds: &[&str]| {
            let holds: Vec<String> = holds.iter().map(|held| (*held).to_owned()).collect();
            with_realm(name.parse().unwrap(), &holds).unwrap().to_string()
        };
        assert_eq!(with_realm("tf/host", &["a@R", "tf/host@R"]), "tf/host@R");
        assert_eq!(with_realm("tf", &["tf@R", "tf@S"]), "tf");
        assert_eq!(with_realm("tf@S", &["tf@R"]), "tf@S");
    }
}
