//! The host that a task says it runs on: who is on the same one reaches its Unix sockets.

/// The system's own name for this host.
pub fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
