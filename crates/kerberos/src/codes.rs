//! What the libraries' numbers mean.
//!
//! Codes of `libkrb5` are those of MIT's public header `krb5/krb5.h` (its `krb5_err.et`, base -1765328384); the KDC's own errors
//! come first there, in the order of RFC 4120, section 7.5.9. The minor codes of `libgssapi_krb5` are the same numbers, as
//! unsigned ones. Major codes are those of RFC 2744, appendix A: a routine error in bits 16 to 23.

use crate::error::Error;

const BASE: i32 = -1_765_328_384;

/// KRB5KDC_ERR_NAME_EXP: the account has expired.
const NAME_EXPIRED: i32 = BASE + 1;
/// KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN.
const CLIENT_UNKNOWN: i32 = BASE + 6;
/// KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN.
const SERVICE_UNKNOWN: i32 = BASE + 7;
/// KRB5KDC_ERR_BADOPTION: what it says to the renewal of a ticket that is not renewable.
const BAD_OPTION: i32 = BASE + 13;
/// KRB5KDC_ERR_ETYPE_NOSUPP.
const NO_ENCRYPTION: i32 = BASE + 14;
/// KRB5KDC_ERR_CLIENT_REVOKED.
const CLIENT_REVOKED: i32 = BASE + 18;
/// KRB5KDC_ERR_KEY_EXP.
const KEY_EXPIRED: i32 = BASE + 23;
/// KRB5KDC_ERR_PREAUTH_FAILED: the key is not the KDC's.
const PREAUTH_FAILED: i32 = BASE + 24;
/// KRB5KRB_AP_ERR_BAD_INTEGRITY: likewise, found here.
const BAD_INTEGRITY: i32 = BASE + 31;
/// KRB5KRB_AP_ERR_TKT_EXPIRED.
const TICKET_EXPIRED: i32 = BASE + 32;
/// KRB5KRB_AP_ERR_TKT_NYV: the ticket begins later, by this clock.
const TICKET_NOT_YET_VALID: i32 = BASE + 33;
/// KRB5KRB_AP_ERR_SKEW.
const SKEW: i32 = BASE + 37;
/// KRB5KDC_ERR_WRONG_REALM.
const KDC_WRONG_REALM: i32 = BASE + 68;
/// KRB5_CONFIG_CANTOPEN.
const CONFIG_CANNOT_OPEN: i32 = BASE + 135;
/// KRB5_CONFIG_BADFORMAT.
const CONFIG_BAD_FORMAT: i32 = BASE + 136;
/// KRB5_CC_NOTFOUND.
const CACHE_NOT_FOUND: i32 = BASE + 141;
/// KRB5_CC_END: all of a cache was seen.
pub const CACHE_END: i32 = BASE + 142;
/// KRB5_KDCREP_SKEW.
const REPLY_SKEW: i32 = BASE + 148;
/// KRB5_IN_TKT_REALM_MISMATCH.
const REALM_MISMATCH: i32 = BASE + 149;
/// KRB5_PROG_ETYPE_NOSUPP.
const NO_ENCRYPTION_HERE: i32 = BASE + 150;
/// KRB5_REALM_UNKNOWN: nothing says where its KDCs are.
const REALM_UNKNOWN: i32 = BASE + 154;
/// KRB5_KDC_UNREACH.
const KDC_UNREACHABLE: i32 = BASE + 156;
/// KRB5_KT_END: all of a keytab was seen.
pub const KEYTAB_END: i32 = BASE + 182;
/// KRB5_FCC_NOFILE: the cache's file is not there.
const CACHE_NO_FILE: i32 = BASE + 195;
/// KRB5_REALM_CANT_RESOLVE.
const REALM_CANNOT_RESOLVE: i32 = BASE + 220;
/// KRB5_CONFIG_NODEFREALM.
const NO_DEFAULT_REALM: i32 = BASE + 224;
/// Major codes of GSS, without the shift by 16.
const BAD_MIC: u32 = 6;
const NO_CREDENTIAL: u32 = 7;
const DEFECTIVE_TOKEN: u32 = 9;
const CREDENTIALS_EXPIRED: u32 = 11;
const CONTEXT_EXPIRED: u32 = 12;

impl Error {
    /// The failure of a call of `libkrb5`.
    pub(crate) fn of_code(code: i32, place: String, cause: String) -> Self {
        match code {
            CLIENT_UNKNOWN => Self::UnknownClient { place, cause },
            SERVICE_UNKNOWN => Self::UnknownService { place, cause },
            NAME_EXPIRED | CLIENT_REVOKED | KEY_EXPIRED => Self::ClientRevoked { place, cause },
            BAD_OPTION => Self::NotRenewable { place, cause },
            NO_ENCRYPTION | NO_ENCRYPTION_HERE => Self::Encryption { place, cause },
            PREAUTH_FAILED | BAD_INTEGRITY => Self::KeyRejected { place, cause },
            TICKET_EXPIRED => Self::Expired { place, cause },
            SKEW | REPLY_SKEW | TICKET_NOT_YET_VALID => Self::ClockSkew { place, cause },
            KDC_WRONG_REALM | REALM_MISMATCH | REALM_UNKNOWN | REALM_CANNOT_RESOLVE => Self::WrongRealm { place, cause },
            KDC_UNREACHABLE => Self::KdcUnreachable { place, cause },
            CONFIG_CANNOT_OPEN | CONFIG_BAD_FORMAT | NO_DEFAULT_REALM => Self::Config { place, cause },
            CACHE_NOT_FOUND | CACHE_END | CACHE_NO_FILE => Self::NoTicket { place, cause },
            code => Self::Other { place, cause, code },
        }
    }

    /// The failure of a call of `libgssapi_krb5`. The minor code says more, where it is one of Kerberos and the message itself was whole.
    pub(crate) fn of_status(major: u32, minor: u32, place: String, cause: String) -> Self {
        let routine = major >> 16 & 0xff;
        if [BAD_MIC, DEFECTIVE_TOKEN].contains(&routine) {
            return Self::Tampered { place, cause };
        }
        match Self::of_code(minor.cast_signed(), place, cause) {
            Self::Other { place, cause, .. } if routine == NO_CREDENTIAL => Self::NoTicket { place, cause },
            Self::Other { place, cause, .. } if [CREDENTIALS_EXPIRED, CONTEXT_EXPIRED].contains(&routine) => Self::Expired { place, cause },
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Numbers as they stand in krb5.h, so that a slip in the arithmetic above is seen.
    #[test]
    fn codes_are_those_of_the_header() {
        let check = |code: i32, expect: &str| {
            let error = Error::of_code(code, "p".into(), "c".into());
            assert!(format!("{error:?}").starts_with(expect), "{code}: {error:?}");
            assert!(error.to_string().starts_with("p: c"), "{error}");
        };
        check(-1_765_328_378, "UnknownClient");
        check(-1_765_328_377, "UnknownService");
        check(-1_765_328_371, "NotRenewable");
        check(-1_765_328_360, "KeyRejected");
        check(-1_765_328_353, "KeyRejected");
        check(-1_765_328_352, "Expired");
        check(-1_765_328_347, "ClockSkew");
        check(-1_765_328_236, "ClockSkew");
        check(-1_765_328_316, "WrongRealm");
        check(-1_765_328_235, "WrongRealm");
        check(-1_765_328_234, "Encryption");
        check(-1_765_328_230, "WrongRealm");
        check(-1_765_328_164, "WrongRealm");
        check(-1_765_328_228, "KdcUnreachable");
        check(-1_765_328_249, "Config");
        check(-1_765_328_248, "Config");
        check(-1_765_328_160, "Config");
        check(-1_765_328_243, "NoTicket");
        check(-1_765_328_189, "NoTicket");
        check(13, "Other");
        assert_eq!((CACHE_END, KEYTAB_END), (-1_765_328_242, -1_765_328_202));
    }

    #[test]
    fn a_major_code_speaks_where_the_minor_one_does_not() {
        let check = |major: u32, minor: i32, expect: &str| {
            let error = Error::of_status(major << 16, minor.cast_unsigned(), "p".into(), "c".into());
            assert!(format!("{error:?}").starts_with(expect), "{major}, {minor}: {error:?}");
        };
        check(13, -1_765_328_352, "Expired");
        check(11, 0, "Expired");
        check(7, 100_001, "NoTicket");
        check(6, -1_765_328_353, "Tampered");
        check(13, 100_001, "Other");
    }
}
