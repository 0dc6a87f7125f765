//! How a command ends, and why.

use std::process::ExitCode;
use tonic::{Code as Grpc, Status};

/// Exit codes; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Done; for a job: succeeded.
    Success = 0,
    /// The job failed or was cancelled, or there is no such job.
    Job = 1,
    /// A file, or what the command line says, is wrong.
    File = 2,
    /// The job can never run.
    NeverFits = 3,
    /// The coordinator knows the caller not.
    Authentication = 4,
    /// The coordinator or its engine failed.
    Engine = 5,
    /// No coordinator answers.
    Unreachable = 6,
    /// `--wait-timeout` is over, the job goes on.
    TimedOut = 124,
    /// Left by Ctrl-C, the job goes on.
    Interrupted = 130,
    /// Nobody reads the output any more: as if ended by SIGPIPE.
    Pipe = 141,
    /// Asked to end, after what must not be left behind was put right: as if ended by SIGTERM.
    Terminated = 143,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// For people: what, why, and what to do; nothing is shown if empty.
    pub message: String,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The same, with a line that says what to do.
    pub fn help(mut self, remedy: impl std::fmt::Display) -> Self {
        self.message = format!("{}\n  help: {remedy}", self.message);
        self
    }
}

/// Whether the call may have got lost on its way: the connection broke, or the coordinator asks to try again.
/// What the coordinator itself answers has no source; what the transport makes up has one.
pub fn is_lost(status: &Status) -> bool {
    let made_up = std::error::Error::source(status).is_some();
    status.code() == Grpc::Unavailable || (made_up && matches!(status.code(), Grpc::Unknown | Grpc::Internal | Grpc::Cancelled))
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let message = crate::show::plain(status.message()).into_owned();
        match status.code() {
            Grpc::InvalidArgument => Failure::new(Code::File, message),
            Grpc::NotFound => Failure::new(Code::Job, message).help("`tfcoord list --all` shows the jobs there are"),
            Grpc::ResourceExhausted | Grpc::OutOfRange => Failure::new(Code::NeverFits, message),
            Grpc::Unauthenticated | Grpc::PermissionDenied => Failure::new(Code::Authentication, message)
                .help("the token comes from the state directory, or from the file that TFCOORD_TOKEN_FILE names"),
            Grpc::FailedPrecondition | Grpc::Aborted | Grpc::AlreadyExists => Failure::new(Code::Job, message),
            Grpc::Unavailable | Grpc::DeadlineExceeded => Failure::new(Code::Unreachable, message),
            code => Failure::new(Code::Engine, format!("the coordinator failed ({code:?}): {message}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_exit_codes() {
        let code = |status: Status| Failure::from(status).code;
        assert_eq!(code(Status::invalid_argument("x")), Code::File);
        assert_eq!(code(Status::not_found("x")), Code::Job);
        assert_eq!(code(Status::resource_exhausted("x")), Code::NeverFits);
        assert_eq!(code(Status::unauthenticated("x")), Code::Authentication);
        assert_eq!(code(Status::internal("x")), Code::Engine);
    }

    #[test]
    fn only_what_got_lost_is_tried_again() {
        assert!(is_lost(&Status::unavailable("x")));
        assert!(!is_lost(&Status::internal("a bug, and it would be one again")));
        let mut broken = Status::unknown("transport error");
        broken.set_source(std::sync::Arc::new(std::io::Error::from(std::io::ErrorKind::BrokenPipe)));
        assert!(is_lost(&broken));
    }
}
