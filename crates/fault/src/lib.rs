//! Named fault points: places where a test makes a process die, stop, wait, or fail to write.
//!
//! All names stand in one table, [`POINTS`]; a name that is not there does not compile. Without a plan, a point is one
//! relaxed load. The plan comes from the environment of the process:
//!
//! ```text
//!   TFCOORD_FAULT       NAME=ACTION[@HIT[+]], separated by commas; HIT counts from 1, + means: and from then on
//!                       ACTION: kill (SIGKILL to itself), stop (SIGSTOP), delay:50ms, and at points of input and
//!                       output eio and enospc: the operation fails with that error
//!   TFCOORD_FAULT_HITS  a file: each process appends a line `NAME PID` when it first reaches a point, before it acts
//!   TFCOORD_FAULT_ONCE  a directory: each entry of the plan is carried out once by all processes that share it, so that
//!                       the one that comes in a dead one's place gets further
//! ```
//!
//! A plan that makes no sense ends the process with exit code 2 and says why.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action;
mod plan;
mod points;

pub use plan::Error;
pub use points::POINTS;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// A place in the program where a fault can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// What plans call it: `checkpoint.part.synced`.
    pub name: &'static str,
    /// Where it is, in one sentence.
    pub at: &'static str,
    /// Whether an error can be planned there.
    pub kind: Kind,
}

/// What can be planned at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To end, stop or wait there: [`point!`].
    Plain,
    /// An error as well: [`io!`].
    Io,
}

/// Marks the point of this name: `point!("log.append.synced")`.
///
/// ```
/// tfcoord_fault::point!("log.append.synced");
/// ```
/// ```compile_fail
/// tfcoord_fault::point!("log.append.sunk");
/// ```
/// A point where an error can be planned must hand it on:
/// ```compile_fail
/// tfcoord_fault::point!("log.append.sync");
/// ```
#[macro_export]
macro_rules! point {
    ($name:literal) => {
        $crate::pass(const { $crate::place($name, $crate::Kind::Plain) })
    };
}

/// Marks the point of this name, at which an operation may fail: `io!("log.append.sync")?`.
///
/// ```
/// tfcoord_fault::io!("log.append.sync")?;
/// # std::io::Result::Ok(())
/// ```
/// ```compile_fail
/// tfcoord_fault::io!("log.append.synced")?;
/// # std::io::Result::Ok(())
/// ```
#[macro_export]
macro_rules! io {
    ($name:literal) => {
        $crate::attempt(const { $crate::place($name, $crate::Kind::Io) })
    };
}

/// A point's place in [`POINTS`]; the macros make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

// True once it is known that there is neither a plan nor anybody who counts.
static QUIET: AtomicBool = AtomicBool::new(false);

/// What [`point!`] does.
#[inline]
pub fn pass(place: Place) {
    if !QUIET.load(Ordering::Relaxed) {
        // Plans hold no error for a plain point.
        let _never = plan::arrive(place);
    }
}

/// What [`io!`] does.
///
/// # Errors
/// The planned one.
#[inline]
pub fn attempt(place: Place) -> io::Result<()> {
    if QUIET.load(Ordering::Relaxed) { Ok(()) } else { plan::arrive(place) }
}

/// Where the point of this name and kind stands in the table.
///
/// # Panics
/// If it does not stand there: while compiling, as the macros call it.
pub const fn place(name: &str, kind: Kind) -> Place {
    let mut at = 0;
    while at < POINTS.len() {
        if same(POINTS[at].name.as_bytes(), name.as_bytes()) {
            assert!(POINTS[at].kind as u8 == kind as u8, "point! is for plain points, io! for those of input and output");
            return Place(at);
        }
        at += 1;
    }
    panic!("no fault point has this name: add it to crates/fault/src/points.rs")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}
