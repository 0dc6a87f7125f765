//! Lines of a job's tasks, each behind its task's name.

use super::plain;

/// Foreground colours that are read well on light and dark.
const COLOURS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// Puts a task's name before its lines.
#[derive(Debug, Clone, Copy)]
pub struct Painter {
    /// Whether standard output is a terminal: then lines are stripped of what a terminal would obey.
    pub terminal: bool,
    /// Whether names are coloured.
    pub colour: bool,
}

impl Painter {
    /// `worker-0 | text`; launches after the first one are numbered: `worker-0.2 | text`.
    pub fn line(&self, task: &str, attempt: u32, text: &str) -> String {
        let name = if attempt > 1 { format!("{task}.{attempt}") } else { task.to_owned() };
        let text = if self.terminal { plain(text) } else { text.into() };
        let head = format!("{:<8} |", plain(&name));
        let head = if self.colour { format!("\u{1b}[{}m{head}\u{1b}[0m", colour(task)) } else { head };
        format!("{head} {text}").trim_end().to_owned()
    }
}

// The same task, the same colour; neighbours have different ones.
fn colour(task: &str) -> u8 {
    let index = task.rsplit('-').next().and_then(|index| index.parse().ok()).unwrap_or(0usize);
    let role = usize::from(task.starts_with("ps")) * 3;
    COLOURS[(index % COLOURS.len() + role) % COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_behind_its_task() {
        let bare = Painter { terminal: false, colour: false };
        assert_eq!(bare.line("worker-0", 1, "step 3"), "worker-0 | step 3");
        assert_eq!(bare.line("ps-0", 1, "\u{1b}[1mbold"), "ps-0     | \u{1b}[1mbold");
        assert_eq!(bare.line("worker-0", 2, ""), "worker-0.2 |");
        let full = Painter { terminal: true, colour: true };
        assert_eq!(full.line("worker-0", 1, "\u{1b}[1mbold"), "\u{1b}[36mworker-0 |\u{1b}[0m \u{fffd}[1mbold");
        assert_ne!(colour("worker-0"), colour("worker-1"));
        assert_ne!(colour("worker-0"), colour("ps-0"));
    }
}
