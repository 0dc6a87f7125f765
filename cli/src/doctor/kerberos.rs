//! The user's login: libraries, `krb5.conf`, KDCs, clock, ticket.

use super::finding::Report;
use super::kdc;
use super::realm::{Realms, places};
use crate::show::duration;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tfcoord_kerberos::{Kerberos, Login};

/// What Kerberos allows between two clocks.
const SKEW_MAX_S: i64 = 300;
/// Of which this much is a sign that nobody sets them.
const SKEW_ODD_S: i64 = 60;
/// A ticket that is over sooner may not last for a job's submission.
const SHORT: Duration = Duration::from_hours(1);
const KDCS_MAX: usize = 8;

/// Looks at all of it. The login, where there is a ticket. `by_token`: a token stands in for the ticket.
pub fn examine(report: &mut Report<'_>, environment: &dyn Fn(&str) -> Option<String>, by_token: bool) -> Option<Arc<Login>> {
    let kerberos = match Kerberos::load() {
        Ok(kerberos) => {
            report.ok("kerberos library", "libkrb5.so.3 and libgssapi_krb5.so.2 can be opened");
            Some(kerberos)
        }
        Err(error) => {
            report.error("kerberos library", &error);
            None
        }
    };
    let login = kerberos.map(|kerberos| kerberos.tickets_of(None));
    let realm = login.as_ref().and_then(|login| login.as_ref().ok()).and_then(|login| login.principal().realm()).map(str::to_owned);
    configuration(report, environment, realm);
    match login {
        None => {
            report.skip("ticket", "it takes the library");
            None
        }
        Some(Err(error)) if by_token => {
            let (what, _) = error.to_string().rsplit_once("; ").map(|(what, fix)| (what.to_owned(), fix.to_owned())).unwrap_or_default();
            report.skip("ticket", format!("{what}; the token file stands in for it"));
            None
        }
        Some(Err(error)) => {
            report.error("ticket", &error);
            None
        }
        Some(Ok(login)) => ticket(report, login),
    }
}

fn configuration(report: &mut Report<'_>, environment: &dyn Fn(&str) -> Option<String>, realm: Option<String>) {
    let places = places(environment);
    let realms = match Realms::read(&places) {
        Ok(realms) => realms,
        Err((file, error)) => {
            let fix = "get it from the site's administrator, or name it in KRB5_CONFIG";
            report.fail("krb5.conf", format!("{}: {error}", file.display()), fix);
            report.skip("kdc", "krb5.conf says where it is");
            return report.skip("clock", "it is compared with the KDC's");
        }
    };
    let files: Vec<String> = realms.files.iter().map(|file| file.display().to_string()).collect();
    let Some(realm) = realm.or_else(|| realms.default_realm.clone()) else {
        report.fail("krb5.conf", format!("{} names no default_realm", files.join(", ")), "set default_realm in [libdefaults]");
        report.skip("kdc", "no realm is known");
        return report.skip("clock", "it is compared with the KDC's");
    };
    report.ok("krb5.conf", format!("{}: realm {realm}", files.join(", ")));
    let kdcs: Vec<&str> = realms.kdcs_of(&realm).take(KDCS_MAX).collect();
    if kdcs.is_empty() {
        report.skip("kdc", format!("krb5.conf lists none of {realm}: Kerberos asks the name server for them"));
        return report.skip("clock", "it is compared with the KDC's");
    }
    ask(report, &realm, &kdcs);
}

fn ask(report: &mut Report<'_>, realm: &str, kdcs: &[&str]) {
    let answers: Vec<_> = kdcs.iter().map(|kdc| (*kdc, kdc::ahead_s(kdc, realm))).collect();
    let silent: Vec<String> =
        answers.iter().filter_map(|(kdc, answer)| answer.as_ref().err().map(|error| format!("{kdc}: {error}"))).collect();
    let speak: Vec<&str> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(kdc, _)| *kdc).collect();
    const FIX: &str = "check the kdc entries of krb5.conf, that the KDC runs, and the network to it (TCP, port 88)";
    match (speak.is_empty(), silent.is_empty()) {
        (true, _) => {
            report.fail("kdc", format!("no KDC of {realm} answers: {}", silent.join("; ")), FIX);
            return report.skip("clock", "it is compared with the KDC's");
        }
        (false, false) => report.warn("kdc", format!("{} answers; {}", speak.join(", "), silent.join("; ")), FIX),
        (false, true) => report.ok("kdc", format!("{} answers", speak.join(", "))),
    }
    let ahead = answers.iter().filter_map(|(_, answer)| *answer.as_ref().ok()?).max_by_key(|ahead| ahead.abs());
    const NTP: &str = "set this machine's clock, and the KDC's, by NTP";
    match ahead {
        None => report.skip("clock", "the KDC does not say what its own shows"),
        Some(ahead) => {
            let found = match ahead {
                0 => "as the KDC's".to_owned(),
                ahead if ahead < 0 => format!("{} s ahead of the KDC's", -ahead),
                ahead => format!("{ahead} s behind the KDC's"),
            };
            match ahead.abs() {
                SKEW_MAX_S.. => report.fail("clock", format!("{found}: Kerberos allows 5 minutes"), NTP),
                SKEW_ODD_S.. => report.warn("clock", format!("{found}: Kerberos allows 5 minutes"), NTP),
                _ => report.ok("clock", found),
            }
        }
    }
}

fn ticket(report: &mut Report<'_>, login: Login) -> Option<Arc<Login>> {
    let ticket = match login.ticket() {
        Ok(ticket) => ticket,
        Err(error) => {
            report.error("ticket", &error);
            return None;
        }
    };
    let who = format!("{} in {}", login.principal(), login.cache_name());
    let left = |until: SystemTime| until.duration_since(SystemTime::now()).ok();
    let text = |left: Duration| duration(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    let Some(good) = left(ticket.end) else {
        let since = ticket.end.elapsed().unwrap_or_default();
        report.fail("ticket", format!("{who}, over for {}", text(since)), format!("kinit {}", login.principal()));
        return None;
    };
    let renewable = ticket.renew_till.and_then(left);
    let renewal = renewable.map_or("not renewable".to_owned(), |left| format!("renewable for {}", text(left)));
    let found = format!("{who}, good for {}, {renewal}", text(good));
    let lasts = renewable.is_some_and(|renewable| renewable > good);
    if good >= SHORT {
        report.ok("ticket", found);
    } else {
        report.warn("ticket", found, if lasts { "kinit -R".to_owned() } else { format!("kinit {}", login.principal()) });
    }
    Some(Arc::new(login))
}
