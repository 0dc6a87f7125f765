//! What can be wrong with `service`.

use super::Found;
use crate::job::{Kerberos, Service};

pub(super) fn check(service: &Service, found: &mut Found) {
    if let Some((scheme, _)) = service.config_uri().and_then(|uri| uri.split_once("://")) {
        let known = ["http", "https", "file"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let message = format!("{scheme}:// is no place that a configuration is fetched from");
        found.unless(known, "service.hdfs.config_uri", message, "use http://, https://, file:// or a path of a directory");
    }
    if let Some(kerberos) = service.kerberos() {
        check_kerberos(kerberos, found);
    }
}

fn check_kerberos(kerberos: &Kerberos, found: &mut Found) {
    let at = |field: &str| format!("service.security.kerberos.{field}");
    let names = [("primary", &kerberos.primary), ("realm", &kerberos.realm), ("proxy_user", &kerberos.proxy_user)];
    for (field, name) in names.into_iter().filter_map(|(field, name)| Some((field, name.as_deref()?))) {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "@\\\"{}".contains(c);
        let fine = !name.contains(odd) && name.len() <= 255;
        found.unless(
            fine,
            &at(field),
            format!("{name:?} is no such name"),
            "leave out @, blanks, quotes and braces; the realm is a field of its own",
        );
    }
    found.unless(
        kerberos.primary.as_deref() != Some(""),
        &at("primary"),
        "it is empty",
        "leave it out for tensorflow, or name the principal",
    );
    found.unless(kerberos.proxy_user.as_deref() != Some(""), &at("proxy_user"), "it is empty", "leave it out, or name a user");
    if let Some(kdc) = &kerberos.kdc {
        let fine = !kdc.hostname.is_empty() && kdc.hostname.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
        found.unless(fine, &at("kdc.hostname"), format!("{:?} is no host", kdc.hostname), "name the KDC's host, such as kdc.example.com");
        found.unless(kdc.port != Some(0), &at("kdc.port"), "nobody listens on port 0", "leave it out for 88");
        let realm = kerberos.realm.as_deref().is_some_and(|realm| !realm.is_empty());
        found.unless(realm, &at("kdc"), "it is not said which realm this KDC is of", "add realm beside it, or leave the KDC to krb5.conf");
    }
}
