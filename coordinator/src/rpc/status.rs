//! Refusals and errors as gRPC codes.

use crate::leader::Gone;
use crate::{prepare, site, tokens};
use std::str::FromStr;
use tfcoord_coordinator_core::Refusal;
use tonic::Status;

pub(super) fn of_refusal(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::Job { .. }
        | Refusal::Workers { .. }
        | Refusal::RequestId { .. }
        | Refusal::NoVariables
        | Refusal::NoAddress { .. }
        | Refusal::TooLong { .. } => Status::invalid_argument(text),
        Refusal::UnknownJob { .. } | Refusal::UnknownTask { .. } => Status::not_found(text),
        Refusal::TooManyJobs { .. } | Refusal::TooLarge { .. } => Status::resource_exhausted(text),
        _ => Status::failed_precondition(text),
    }
}

pub(super) fn of_gone(gone: Gone) -> Status {
    let text = gone.to_string();
    match gone {
        Gone::Busy | Gone::Ended => Status::unavailable(text),
        // Asked again, another one would begin anew where this one could not go on.
        Gone::Failed(_) => Status::internal(text),
    }
}

pub(super) fn of_prepare(error: &prepare::Error) -> Status {
    let text = error.to_string();
    match error {
        prepare::Error::Data(_) | prepare::Error::TooLong(_) | prepare::Error::TooLarge => Status::invalid_argument(text),
        prepare::Error::Launch(_) => Status::failed_precondition(text),
        prepare::Error::Host(_) | prepare::Error::Internal(_) | prepare::Error::State(_) => Status::internal(text),
    }
}

pub(super) fn of_site(error: &site::Error) -> Status {
    let text = error.to_string();
    match error {
        site::Error::State(_) => Status::internal(text),
        _ => Status::invalid_argument(text),
    }
}

pub(super) fn of_tokens(failure: &tokens::Failure) -> Status {
    match &failure.field {
        Some(field) => Status::invalid_argument(format!("{field}: {failure}")),
        None => Status::failed_precondition(format!("no HDFS tokens for the job: {failure}")),
    }
}

/// An id, or the reason why it is none: before anything is built from it.
pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, Status>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Status::invalid_argument(error.to_string()))
}
