//! A line format that adds the task's identity to what another format has written.

use std::fmt;

use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::Identity;

/// `inner`'s line with `head` behind its first character or `tail` before its end of line.
pub(super) struct Stamped<F> {
    inner: F,
    /// JSON members, each followed by a comma; the line's first character is the object's brace.
    head: String,
    /// Text pairs, each with a space before it.
    tail: String,
}

impl<F> Stamped<F> {
    pub(super) fn text(inner: F, identity: &Identity) -> Self {
        let tail = match identity {
            Identity::Coordinator => String::new(),
            Identity::Task { job, task, attempt } => format!(" job={job} task={task} attempt={attempt}"),
        };
        Self { inner, head: String::new(), tail }
    }

    pub(super) fn json(inner: F, identity: &Identity) -> Self {
        let head = match identity {
            Identity::Coordinator => String::new(),
            Identity::Task { job, task, attempt } => {
                format!(r#""job":{},"task":{},"attempt":{attempt},"#, json!(job), json!(task))
            }
        };
        Self { inner, head, tail: String::new() }
    }
}

impl<S, N, F> FormatEvent<S, N> for Stamped<F>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match line.strip_prefix('{') {
            Some(members) if !self.head.is_empty() => writeln!(out, "{{{}{members}", self.head),
            _ => writeln!(out, "{line}{}", self.tail),
        }
    }
}
