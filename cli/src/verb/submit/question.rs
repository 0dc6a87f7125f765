//! What Ctrl-C asks.

use rustix::termios::{QueueSelector, tcflush};
use std::io::IsTerminal;
use tokio::task::{JoinHandle, spawn_blocking};

/// A question that waits for its answer.
pub struct Question(JoinHandle<Answer>);

/// What to do with the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// End it.
    Cancel,
    /// Leave it.
    Detach,
}

impl Question {
    /// Asks what to do with `job`; nothing where there is nobody to ask.
    pub fn ask(job: &str) -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        // What was typed before the question is no answer to it.
        let _ = tcflush(&stdin, QueueSelector::IFlush);
        let question = format!("cancel {job}, or detach and let it go on? [c/d] ");
        eprint!("\n{question}");
        // A thread of its own, which the end of the process does not wait for.
        Some(Self(spawn_blocking(move || {
            let mut line = String::new();
            loop {
                line.clear();
                // The end of the input leaves: nothing is lost by it.
                match stdin.read_line(&mut line) {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return Answer::Detach,
                }
                match parse(&line) {
                    Some(answer) => return answer,
                    None => eprint!("{question}"),
                }
            }
        })))
    }

    /// Waits for the answer, which comes once.
    pub async fn answer(&mut self) -> Answer {
        (&mut self.0).await.unwrap_or(Answer::Detach)
    }
}

fn parse(line: &str) -> Option<Answer> {
    match line.trim().to_lowercase().as_str() {
        "c" | "cancel" => Some(Answer::Cancel),
        "d" | "detach" => Some(Answer::Detach),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clear_answers_count() {
        assert_eq!(parse("c\n"), Some(Answer::Cancel));
        assert_eq!(parse(" Detach\n"), Some(Answer::Detach));
        assert_eq!((parse("\n"), parse("x\n"), parse("cd\n")), (None, None, None));
    }
}
