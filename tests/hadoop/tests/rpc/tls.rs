//! TLS before a server that has none.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use tfcoord_testkit::hadoop::program;
use tfcoord_testkit::tools::skip;

/// Whoever comes to it comes to the server.
pub struct Front {
    /// `https://localhost:port`.
    pub address: String,
    /// The authority's, and its own.
    pub certificate: PathBuf,
}

/// Before the server at `port`, with a new certificate in `dir`; nothing where there is no openssl. It ends with this process.
pub fn before(port: u16, dir: &Path) -> Option<Front> {
    let Some(openssl) = program("openssl") else {
        skip("openssl is missing: run make setup");
        return None;
    };
    let (certificate, key) = (dir.join("front.pem"), dir.join("front.key"));
    let mut made = Command::new(openssl);
    made.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]);
    made.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key);
    let output = made.arg("-out").arg(&certificate).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
    let config = config.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(&key).unwrap()).unwrap();
    let listener = TcpListener::bind("localhost:0").unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let config = Arc::new(config);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, config) = (client.unwrap(), Arc::clone(&config));
            thread::spawn(move || pass(client, port, config));
        }
    });
    Some(Front { address, certificate })
}

// One request, and all of its answer.
fn pass(client: TcpStream, port: u16, config: Arc<ServerConfig>) {
    let mut client = StreamOwned::new(ServerConnection::new(config).unwrap(), client);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut some = [0; 4096];
        // Who does not believe it hangs up.
        let Ok(read @ 1..) = client.read(&mut some) else { return };
        request.extend_from_slice(&some[..read]);
    }
    // The server is to say by its end where its answer ends.
    request.truncate(request.len() - 2);
    request.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut server = TcpStream::connect(("localhost", port)).unwrap();
    server.write_all(&request).unwrap();
    // The client may have all of it before, and go.
    let _gone = io::copy(&mut server, &mut client);
    client.conn.send_close_notify();
    let _gone = client.flush();
}
