//! Files, by one suite for every kind of file system; and what only HDFS must survive.
#![allow(clippy::unwrap_used, missing_docs)]

mod files {
    mod conformance;
    mod faults;
    mod hdfs;
    mod local;
    mod lost;
    mod place;
    mod secured;
}
