//! A job's data in HDFS.
#![allow(clippy::unwrap_used, missing_docs)]

mod data {
    mod faults;
    mod jobs;
    mod near;
    mod records;
    mod refused;
    mod set;
}
