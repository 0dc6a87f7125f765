//! `tfcoord doctor`.

use super::plain;
use crate::doctor::{Finding, Status};

/// As wide as the longest check.
const WIDTH: usize = 16;

/// A line, and one for what helps.
pub fn finding(finding: &Finding) -> String {
    let status = match finding.status {
        Status::Ok => "ok  ",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
        Status::Skip => "-   ",
    };
    let one_line = |text: &str| plain(text).replace('\n', " ");
    let line = format!("{status}  {:<WIDTH$}  {}", finding.check, one_line(&finding.found));
    match &finding.fix {
        None => line,
        Some(fix) => format!("{line}\n      {:<WIDTH$}  fix: {}", "", one_line(fix)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_stands_below() {
        let failed = Finding { check: "ticket", status: Status::Fail, found: "none\u{1b}".into(), fix: Some("kinit".into()) };
        assert_eq!(finding(&failed), "FAIL  ticket            none\u{fffd}\n                        fix: kinit");
    }
}
