//! What can go wrong: where, why, and what helps.

use std::io;
use std::path::PathBuf;

/// A failure. `place` says what was tried for whom, `cause` is the library's own message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A library cannot be opened.
    #[error("cannot open {library}, which Kerberos needs: {cause}; install {install}")]
    Library {
        /// Its file name.
        library: &'static str,
        /// What the loader said.
        cause: String,
        /// The packages it is in.
        install: &'static str,
    },
    /// This is no name of a user or service.
    #[error("no Kerberos principal: \"{text}\": {what}; write NAME@REALM or SERVICE/HOST@REALM")]
    Principal {
        /// What was given, at most 80 characters of it.
        text: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The keytab cannot be opened.
    #[error("keytab {}: {cause}; check the path and that this user may read it", path.display())]
    KeytabUnreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is no keytab.
    #[error("keytab {}: {cause}; it is damaged or no keytab: export it again (`ktadd` of kadmin)", path.display())]
    KeytabMalformed {
        /// Which.
        path: PathBuf,
        /// What the library said.
        cause: String,
    },
    /// The keytab holds keys, but not this one.
    #[error("keytab {} has no key of {principal}; it has keys of: {}; name one of those, or export that key", path.display(), list(holds))]
    NotInKeytab {
        /// Which keytab.
        path: PathBuf,
        /// Whose key was looked for.
        principal: String,
        /// Whose keys are there.
        holds: Vec<String>,
    },
    /// The KDC has another key than the keytab.
    #[error("{place}: {cause}; the key was changed after the keytab was written: export it again (`ktadd -norandkey` of kadmin)")]
    KeyRejected {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The KDC does not know the user.
    #[error("{place}: {cause}; check the name and its realm, or have it added (`addprinc` of kadmin)")]
    UnknownClient {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The KDC does not know the service.
    #[error("{place}: {cause}; check the service's principal in the site's configuration against its host name")]
    UnknownService {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The account is locked or has expired.
    #[error("{place}: {cause}; ask the realm's administrator to open the account again")]
    ClientRevoked {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The realm is not the KDC's, or nothing says where its KDCs are.
    #[error("{place}: {cause}; check the realm's name, and that krb5.conf (KRB5_CONFIG) lists its KDCs")]
    WrongRealm {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The clocks here and there differ by more than the KDC allows.
    #[error("{place}: {cause}; the clocks here and there differ by more than 5 minutes: set both by NTP")]
    ClockSkew {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The ticket's time is over.
    #[error("{place}: {cause}; the ticket is over: get a new one (`kinit`, or a login from the keytab)")]
    Expired {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The ticket cannot be renewed.
    #[error("{place}: {cause}; it is not renewable, or was renewed as long as it may be: log in again")]
    NotRenewable {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// No KDC answers.
    #[error("{place}: {cause}; check that the KDCs in krb5.conf (KRB5_CONFIG) run and can be reached from here (port 88)")]
    KdcUnreachable {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// `krb5.conf` cannot be used.
    #[error("{place}: {cause}; check krb5.conf, or the file that KRB5_CONFIG names")]
    Config {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// Client, KDC and service have no encryption in common.
    #[error("{place}: {cause}; allow an encryption type that all know in krb5.conf, such as aes256-cts-hmac-sha1-96")]
    Encryption {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// There is no ticket where one was expected.
    #[error("{place}: {cause}; get a ticket first (`kinit`, or a login from a keytab)")]
    NoTicket {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// The other side's message is none, or was changed on its way.
    #[error("{place}: {cause}; the other side or something between does not speak the protocol, or changes messages")]
    Tampered {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
    },
    /// A name with a NUL in it, which no library takes.
    #[error("{0}: a name must not hold a NUL")]
    Nul(String),
    /// The cache's file cannot be put in its place.
    #[error("credential cache {}: {cause}; check that its directory is there and that this user may write to it", path.display())]
    CacheFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Anything else.
    #[error("{place}: {cause} (code {code}); KRB5_TRACE=/dev/stderr shows what Kerberos does")]
    Other {
        /// What was tried.
        place: String,
        /// What the library said.
        cause: String,
        /// Its number: of MIT's `krb5.h`, or of the system (`errno`).
        code: i32,
    },
}

fn list(names: &[String]) -> String {
    // A keytab can hold the keys of a whole site.
    const SHOWN: usize = 10;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "nobody".clone_into(&mut text),
        1..=SHOWN => {}
        more => text.push_str(&format!(" and {} more", more - SHOWN)),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..12).map(|n| format!("u{n}")).collect();
        assert_eq!(list(&names[..2]), "u0, u1");
        assert!(list(&names).ends_with("u9 and 2 more"));
        assert_eq!(list(&[]), "nobody");
    }
}
