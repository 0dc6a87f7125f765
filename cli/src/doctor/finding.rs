//! What was found.

use serde::Serialize;

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it must be.
    Ok,
    /// It works, but not for long, or not everywhere.
    Warn,
    /// It does not work.
    Fail,
    /// Not looked at.
    Skip,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which.
    pub check: &'static str,
    /// How it stands.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What helps, where something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// All that was found, told one by one.
pub struct Report<'a> {
    findings: Vec<Finding>,
    told: &'a mut dyn FnMut(&Finding),
}

impl<'a> Report<'a> {
    /// Nothing yet; `told` is told each finding as it is made.
    pub fn new(told: &'a mut dyn FnMut(&Finding)) -> Self {
        Self { findings: Vec::new(), told }
    }

    /// All of it.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// As it must be.
    pub fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Status::Ok, found.into(), None);
    }

    /// It works, but.
    pub fn warn(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Status::Warn, found.into(), Some(fix.into()));
    }

    /// It does not work.
    pub fn fail(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Status::Fail, found.into(), Some(fix.into()));
    }

    /// Not looked at, and why.
    pub fn skip(&mut self, check: &'static str, why: impl Into<String>) {
        self.add(check, Status::Skip, why.into(), None);
    }

    /// It does not work: an error of files.
    pub fn storage(&mut self, check: &'static str, error: &tfcoord_fs::storage::Error) {
        let remedy = error.problem.remedy();
        let text = error.to_string();
        let what = text.strip_suffix(remedy).and_then(|what| what.strip_suffix(": ")).unwrap_or(&text);
        self.fail(check, what, remedy);
    }

    /// It does not work: an error whose text ends with what helps, behind a semicolon.
    pub fn error(&mut self, check: &'static str, error: &dyn std::error::Error) {
        let text = error.to_string();
        let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, "see the servers' logs"));
        self.fail(check, what, remedy);
    }

    fn add(&mut self, check: &'static str, status: Status, found: String, fix: Option<String>) {
        let finding = Finding { check, status, found, fix };
        (self.told)(&finding);
        self.findings.push(finding);
    }
}
