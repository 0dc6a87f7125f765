//! Sockets that are bound and held before anybody hears of them.

use crate::arguments::Arguments;
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tfcoord_exchange::serve::Listener;
use tokio::net::{TcpListener, UnixListener};

/// The server's sockets; the Unix socket's file is removed when this is dropped.
pub struct Sockets {
    /// To be served.
    pub listeners: Vec<Listener>,
    /// What workers are told, the fastest first.
    pub advertised: Vec<String>,
    /// Removes the file.
    pub file: SocketFile,
}

/// A Unix socket's file.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already, with its directory.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds the Unix socket and the TCP port, and writes the address file.
pub async fn bind(arguments: &Arguments) -> Result<Sockets> {
    let Arguments { job, task, attempt, .. } = arguments;
    // The job's number tells jobs of one coordinator apart, and keeps the path short.
    let path = arguments.socket_dir.join(format!("{}-{task}-{attempt}.sock", job.number));
    let unix = bind_unix(&path).with_context(|| format!("cannot listen on unix:{}", path.display()))?;
    let file = SocketFile(path.clone());
    let tcp = TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = tcp.local_addr().context("the port that was bound")?;
    let local = format!("unix:{}", path.display());
    if let Some(address_file) = &arguments.address_file {
        tfcoord_fs::write_atomic(address_file, format!("{local}\n{address}\n").as_bytes(), 0o644)?;
    }
    let reachable = if address.ip().is_unspecified() { format!("{}:{}", arguments.host(), address.port()) } else { address.to_string() };
    let advertised = if arguments.advertise.is_empty() { vec![local, reachable] } else { arguments.advertise.clone() };
    Ok(Sockets { listeners: vec![Listener::Unix(unix), Listener::Tcp(tcp)], advertised, file })
}

/// What a process of this attempt left behind is in the way: an attempt runs once.
fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}
