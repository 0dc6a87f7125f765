//! What a real HDFS does, and what we do with it.
#![allow(clippy::unwrap_used, missing_docs)]

mod hdfs {
    mod alone;
    mod beds;
    mod commands;
    mod highly_available;
    mod realm;
    mod secured;
    mod web;
}
