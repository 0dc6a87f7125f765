//! Structured logs on standard error.
//!
//! A task's lines are merged with those of its siblings and kept after the job's end, so each must say by itself whose it is:
//! job, task and attempt are written by the line's format, not by a span, because a span is not entered in every spawned future.

mod stamp;

use std::fmt;
use std::str::FromStr;

use tracing::Dispatch;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::{self as lines, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use stamp::Stamped;

/// The environment variable with the filter, in the syntax of [`EnvFilter`]: `info`, `warn,tfcoord_ps=debug`.
pub const FILTER_VARIABLE: &str = "TFCOORD_LOG";

/// The filter where the variable is absent or empty.
pub const FILTER_DEFAULT: &str = "info";

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, target, message, then `key=value` pairs.
    #[default]
    Text,
    /// For machines: one JSON object a line, the event's fields at its top level.
    Json,
}

/// A name that is neither `text` nor `json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format {name:?}: expected text or json")]
pub struct UnknownFormat {
    /// The name as given.
    pub name: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Whose lines these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A coordinator: its events name the jobs and tasks they are about.
    Coordinator,
    /// One launch of one task. Events of such a process do not use these three names for fields of their own.
    Task {
        /// The job's id, as in `fashion-mnist-7`.
        job: String,
        /// The task's id, as in `fashion-mnist-7/worker-0`.
        task: String,
        /// The number of this launch.
        attempt: u64,
    },
}

/// Logs that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The variable's text is no filter.
    #[error("{FILTER_VARIABLE}={text:?} is not a log filter")]
    Filter {
        /// The text as found.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The process has a subscriber already.
    #[error("logs are initialised already")]
    Initialised(#[from] TryInitError),
}

/// Sends the process's events to standard error, filtered by `TFCOORD_LOG` (default `info`). Once per process.
///
/// # Errors
/// [`Error::Filter`] for a filter that does not parse, [`Error::Initialised`] on a second call.
pub fn init(format: Format, identity: &Identity) -> Result<(), Error> {
    let text = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let text = if text.is_empty() { FILTER_DEFAULT } else { &text };
    Ok(dispatch(format, identity, text, std::io::stderr)?.try_init()?)
}

fn dispatch<W>(format: Format, identity: &Identity, filter: &str, writer: W) -> Result<Dispatch, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(filter).map_err(|source| Error::Filter { text: filter.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    Ok(match format {
        Format::Text => {
            let format = Stamped::text(lines::format().with_ansi(false), identity);
            registry.with(lines::layer().with_ansi(false).event_format(format).with_writer(writer)).into()
        }
        Format::Json => {
            let json = lines::format().json().flatten_event(true).with_current_span(true).with_span_list(false);
            let layer = lines::layer().fmt_fields(JsonFields::new()).event_format(Stamped::json(json, identity));
            registry.with(layer.with_writer(writer)).into()
        }
    })
}

#[cfg(test)]
mod tests;
