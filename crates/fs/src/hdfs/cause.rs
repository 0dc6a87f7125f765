//! What the client's errors mean. The only place that looks at names of Java classes and at texts.

use crate::storage::{Login, Problem};
use hdfs_native::HdfsError;
use std::io::{self, ErrorKind};

// Longer texts are cut: the client lists whole DataNodes.
const DETAIL_MAX: usize = 400;

// Codes of Kerberos that GSSAPI passes on (RFC 4120, 7.5.9, from -1765328384 on; and MIT's own).
const PRINCIPAL_EXPIRED: i32 = -1_765_328_383;
const CLIENT_UNKNOWN: i32 = -1_765_328_378;
const SERVICE_UNKNOWN: i32 = -1_765_328_377;
const PREAUTHENTICATION_FAILED: i32 = -1_765_328_360;
const TICKET_EXPIRED: i32 = -1_765_328_352;
const CLOCK_SKEW: i32 = -1_765_328_347;
const REALM_UNKNOWN: i32 = -1_765_328_230;
const KDC_UNREACHABLE: i32 = -1_765_328_228;
const CACHE_NOT_FOUND: i32 = -1_765_328_243;
const CACHE_NO_FILE: i32 = -1_765_328_189;
const KEY_NOT_FOUND: i32 = -1_765_328_203;
// GSS_S_NO_CRED and GSS_S_CREDENTIALS_EXPIRED (RFC 2744, 3.9.1).
const NO_CREDENTIALS: u32 = 7 << 16;
const CREDENTIALS_EXPIRED: u32 = 11 << 16;
const CONTEXT_EXPIRED: u32 = 12 << 16;
const ROUTINE_ERRORS: u32 = 0xff << 16;

impl From<HdfsError> for Problem {
    fn from(error: HdfsError) -> Self {
        problem(error)
    }
}

pub(super) fn problem(error: HdfsError) -> Problem {
    match error {
        HdfsError::IOError(error) => of_io(error),
        HdfsError::AlreadyExists(_) => Problem::Exists,
        HdfsError::FileNotFound(_) => Problem::Missing,
        HdfsError::IsADirectoryError(_) => Problem::NotAFile,
        HdfsError::RPCError(class, detail) | HdfsError::FatalRPCError(class, detail) => of_class(&class, &detail),
        HdfsError::GSSAPIError(major, minor, detail) => Problem::Login { problem: of_gssapi(major.raw(), minor, cut(&detail)) },
        HdfsError::NoSASLMechanism => Problem::Login { problem: Login::None("nothing that is here is taken by the NameNode".to_owned()) },
        // Its only error of this kind that comes from the library.
        HdfsError::OperationFailed(detail) if detail.contains("libgssapi") => {
            Problem::Login { problem: Login::Library("it is not installed".to_owned()) }
        }
        HdfsError::SASLError(detail) => Problem::Login { problem: Login::Other(cut(&detail)) },
        error @ (HdfsError::DataTransferError(_)
        | HdfsError::ChecksumError
        | HdfsError::BlocksNotFound(_)
        | HdfsError::OperationFailed(_)
        | HdfsError::ErasureCodingError(_)) => Problem::Broken { detail: cut(&error.to_string()) },
        error @ (HdfsError::UnsupportedFeature(_) | HdfsError::UnsupportedErasureCodingPolicy(_)) => {
            Problem::Unsupported { detail: cut(&error.to_string()) }
        }
        error @ (HdfsError::UrlParseError(_) | HdfsError::InvalidArgument(_) | HdfsError::InvalidPath(_) | HdfsError::XmlParseError(_)) => {
            Problem::NotConfigured { detail: cut(&error.to_string()) }
        }
        error => Problem::Client { detail: cut(&error.to_string()) },
    }
}

fn of_io(error: io::Error) -> Problem {
    let detail = cut(&error.to_string());
    // Rust's own words for a name that nobody knows: of the configuration, or of a nameservice that it lacks.
    if detail.starts_with("failed to lookup address information") {
        return Problem::NotConfigured { detail };
    }
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Problem::Refused { detail },
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::TimedOut
        | ErrorKind::WriteZero => Problem::Broken { detail },
        _ => Problem::Io(error),
    }
}

pub(super) fn of_class(class: &str, detail: &str) -> Problem {
    // org.apache.hadoop.security.token.SecretManager$InvalidToken
    let name = class.rsplit(['.', '$']).next().unwrap_or(class);
    let text = cut(detail);
    match name {
        "AccessControlException" => Problem::Denied { detail: text },
        "AuthorizationException" => Problem::Impersonation { detail: text },
        "FileNotFoundException" => Problem::Missing,
        "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => Problem::Exists,
        "NSQuotaExceededException" | "DSQuotaExceededException" | "QuotaByStorageTypeExceededException" | "QuotaExceededException" => {
            Problem::Quota { detail: text }
        }
        "ParentNotDirectoryException" | "PathIsNotDirectoryException" => Problem::NotADirectory,
        "SafeModeException" => Problem::SafeMode { detail: text },
        // So a NameNode in HA tells of safe mode that will end by itself.
        "RetriableException" if detail.contains("SafeModeException") => Problem::SafeMode { detail: text },
        "RetriableException"
        | "StandbyException"
        | "ObserverRetryOnActiveException"
        | "NotReplicatedYetException"
        | "RpcNoSuchProtocolException" => Problem::Busy { detail: text },
        // No DataNode takes a block: all that are known are full, or have just died.
        "IOException" if detail.contains("could only be written to") => Problem::Busy { detail: text },
        "InvalidToken" => Problem::Token { detail: text },
        "SaslException" | "GSSException" => Problem::Login { problem: Login::Other(text) },
        // The file under construction is not ours any more, or gone.
        "LeaseExpiredException" | "RecoveryInProgressException" => Problem::Broken { detail: text },
        _ => Problem::Server { class: class.to_owned(), detail: text },
    }
}

fn of_gssapi(major: u32, minor: u32, detail: String) -> Login {
    match minor.cast_signed() {
        CLIENT_UNKNOWN | SERVICE_UNKNOWN | REALM_UNKNOWN => Login::Unknown(detail),
        PREAUTHENTICATION_FAILED | KEY_NOT_FOUND => Login::Key(detail),
        TICKET_EXPIRED | PRINCIPAL_EXPIRED => Login::Expired(detail),
        CLOCK_SKEW => Login::Skew(detail),
        KDC_UNREACHABLE => Login::Kdc(detail),
        CACHE_NOT_FOUND | CACHE_NO_FILE => Login::None(detail),
        _ => match major & ROUTINE_ERRORS {
            NO_CREDENTIALS => Login::None(detail),
            CREDENTIALS_EXPIRED | CONTEXT_EXPIRED => Login::Expired(detail),
            _ => Login::Other(detail),
        },
    }
}

// The first line: traces of Java follow, and are for its log.
fn cut(detail: &str) -> String {
    let line = detail.lines().next().unwrap_or_default();
    match line.char_indices().nth(DETAIL_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(class: &str, detail: &str) -> String {
        format!("{:?}", problem(HdfsError::RPCError(class.to_owned(), detail.to_owned())))
    }

    #[test]
    fn java_classes_are_known_by_their_last_name() {
        for (class, detail, expect) in [
            (
                "org.apache.hadoop.security.AccessControlException",
                "Permission denied: user=bob\n\tat java",
                "Denied { detail: \"Permission denied: user=bob\" }",
            ),
            ("java.io.FileNotFoundException", "File does not exist", "Missing"),
            ("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "The DiskSpace quota", "Quota"),
            ("org.apache.hadoop.hdfs.server.namenode.SafeModeException", "Cannot create", "SafeMode"),
            ("org.apache.hadoop.ipc.RetriableException", "org.apache…SafeModeException: Cannot", "SafeMode"),
            ("org.apache.hadoop.ipc.RetriableException", "NameNode still not started", "Busy"),
            ("org.apache.hadoop.security.token.SecretManager$InvalidToken", "token (…) can't be found in cache", "Token"),
            ("java.lang.IllegalStateException", "x", "Server { class: \"java.lang.IllegalStateException\", detail: \"x\" }"),
        ] {
            assert!(says(class, detail).starts_with(expect), "{class}: {}", says(class, detail));
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_of_the_configuration() {
        let error = std::net::ToSocketAddrs::to_socket_addrs("no such host:1").unwrap_err();
        assert!(matches!(of_io(error), Problem::NotConfigured { .. }));
    }

    #[test]
    fn codes_of_kerberos_tell_what_is_wrong() {
        let of = |minor: i32| format!("{:?}", of_gssapi(0xd_0000, minor.cast_unsigned(), String::new()));
        assert_eq!(
            [CLOCK_SKEW, KDC_UNREACHABLE, TICKET_EXPIRED, CLIENT_UNKNOWN, CACHE_NO_FILE, 0].map(of),
            ["Skew(\"\")", "Kdc(\"\")", "Expired(\"\")", "Unknown(\"\")", "None(\"\")", "Other(\"\")"]
        );
        assert!(matches!(of_gssapi(NO_CREDENTIALS, 0, String::new()), Login::None(_)));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ü".repeat(1000);
        assert_eq!(cut(&long).chars().count(), DETAIL_MAX + 1);
        assert_eq!(cut("one\ntwo"), "one");
    }
}
