//! One suite for every kind of file system, and what only HDFS must survive.

#![allow(clippy::unwrap_used)]

mod conformance;
mod hangs;
mod hdfs;
mod local;
mod place;
