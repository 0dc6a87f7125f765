//! One HDFS of each form for all tests of this program: a start takes seconds. Tests go to directories of their own, and put back
//! what they change. Tests that break more than that start one of their own.

use std::sync::OnceLock;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

/// Kerberos, everything encrypted; nothing where it cannot be installed.
pub fn secured() -> Option<&'static Hadoop> {
    static BED: OnceLock<Option<Hadoop>> = OnceLock::new();
    BED.get_or_init(|| Hadoop::start(Form { aes: true, ..Form::new(Security::Privacy) })).as_ref()
}

/// Two NameNodes and Kerberos; nothing where it cannot be installed.
pub fn highly_available() -> Option<&'static Hadoop> {
    static BED: OnceLock<Option<Hadoop>> = OnceLock::new();
    BED.get_or_init(|| Hadoop::start(Form { high_availability: true, ..Form::new(Security::Authentication) })).as_ref()
}
