//! What people see: pure functions from a job to text.

mod confusion;
mod ending;
mod event;
mod finding;
mod list;
mod listing;
mod log;
mod number;
mod plan;
mod progress;
mod status;
mod table;

pub use ending::{failure, next_commands, quoted, result};
pub use event::{RESTARTED, line as event};
pub use finding::finding;
pub use list::list;
pub use listing::listing;
pub use log::Painter;
pub use number::{counted, duration};
pub use plan::plan;
pub use progress::{figures, place, progress, wrapped};
pub use status::status;

use std::borrow::Cow;

/// `text` without control characters but tabs and line ends: names and messages come from strangers, and a
/// terminal obeys what it is shown.
pub fn plain(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\t' && c != '\n';
    if text.contains(harmful) { Cow::Owned(text.replace(harmful, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_terminal_is_not_given_orders() {
        assert_eq!(super::plain("a\tb\nc"), "a\tb\nc");
        assert_eq!(super::plain("\u{1b}[2Jgone\r"), "\u{fffd}[2Jgone\u{fffd}");
    }
}
