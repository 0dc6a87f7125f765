//! `tfcoord data` and `tfcoord doctor hdfs`, as users type them.
#![allow(clippy::unwrap_used, missing_docs)]

mod verbs {
    mod client;
    mod data;
    mod doctor;
}
