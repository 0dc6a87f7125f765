//! The client as a process, against a coordinator that says what a test tells it to: real gRPC over a Unix socket.
#![allow(clippy::unwrap_used)]

mod bad_file;
mod embedded;
mod fake;
mod interrupt;
mod process;
mod submit;
mod terminal;
mod verbs;
