//! The files of a realm: `krb5.conf` for all, `kdc/kdc.conf` for the KDC.

use super::{Lives, REALM};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn client(dir: &Path) -> PathBuf {
    dir.join("krb5.conf")
}

pub(super) fn server(dir: &Path) -> PathBuf {
    dir.join("kdc/kdc.conf")
}

/// Writes them, and makes the folders that a realm has.
pub(super) fn write(dir: &Path, port: u16, lives: Lives) {
    for folder in ["kdc", "keytabs", "caches"] {
        fs::create_dir_all(dir.join(folder)).expect("a folder can be made");
    }
    fs::write(client(dir), krb5_conf(port)).expect("krb5.conf can be written");
    fs::write(server(dir), kdc_conf(&dir.join("kdc"), port, lives)).expect("kdc.conf can be written");
}

/// Nobody is to ask a name server. UDP is avoided: the KDC listens on one TCP port.
fn krb5_conf(port: u16) -> String {
    format!(
        "[libdefaults]
    default_realm = {REALM}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    {REALM} = {{
        kdc = 127.0.0.1:{port}
    }}
"
    )
}

fn kdc_conf(folder: &Path, port: u16, lives: Lives) -> String {
    let folder = folder.display();
    let (ticket, renewable) = (lives.ticket.as_secs(), lives.renewable.as_secs());
    format!(
        "[kdcdefaults]
    kdc_listen = \"\"
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {REALM} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = {ticket}s
        max_renewable_life = {renewable}s
        supported_enctypes = aes256-cts-hmac-sha1-96:normal
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"
    )
}
