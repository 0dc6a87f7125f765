//! The delegation tokens of jobs on HDFS: got when a job is submitted, kept good as long as it is in use, cancelled at its end.
//!
//! ```text
//!   submit ──► issue ──► hdfs.tokens ──► prepare, tasks: told by HADOOP_TOKEN_FILE_LOCATION where it lies
//!                            ▲
//!   keeper ── renew, reissue ┘ (replaced whole)         job over ──► cancel, hdfs.tokens goes
//! ```
//!
//! Keytab and tickets are opened by a child process alone ([`program`]), one for each step: it logs in, speaks to the
//! NameNodes, replaces the file, and prints dates. The coordinator itself never has a secret in its memory. When what is
//! due is a pure function of the dates ([`schedule`]). What a coordinator knows of a job's tokens is in the job's folder, so
//! that the next one goes on where it was.
//!
//! A KDC or NameNode that does not answer is tried again; until the tokens run out the job does not notice, and people are
//! told in the job's status and in the log.

mod call;
mod dates;
mod keeper;
mod program;
mod schedule;

pub use call::{Caller, Failure};
pub use keeper::{Keeper, Keeping, Trouble};
pub use program::{Action, run};
