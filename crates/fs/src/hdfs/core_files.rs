//! Core files: none is written of a process that reaches a secured HDFS, since tokens and keys are in its memory.

use rustix::process::{Resource, Rlimit, setrlimit};

/// From now on this process writes none. Where the system refuses that, it writes what any other process does.
pub(super) fn prevent() {
    let _refused = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
