//! The pure core of a worker: what to pull, compute, push and resend next. No clock, no network, no threads;
//! it knows ids only, the shell keeps the bytes. [`Driver::apply`] takes an [`Input`] and adds [`Effect`]s.
//!
//! Everything follows from three facts, compared again after every input:
//!
//! 1. **The newest view**: which lanes this worker owns, how far steps may go, what to evaluate or export.
//! 2. **The lowest cursor that each chunk can have**, from the cursors that a server tells when a stream opens,
//!    and from every version seen since. In `bsp` no chunk is two steps ahead of another, so
//!    `step = max(lowest, highest - 1)` is the one step that can be worked on: versions of it can still be
//!    pulled everywhere, and the next one does not exist everywhere yet.
//! 3. **What is done of that step**: blocks computed, and their sums that are not settled. A sum is settled when
//!    its chunk's cursor is known to be beyond the step: the version it made has come back, or the answer was
//!    `Duplicate`. Until then it is kept, and sent again where a server may have lost it.
//!
//! So a replacement needs no path of its own: it hears the cursors, computes its lanes of the lowest step on
//! exactly that step's parameters, and pushes to the chunks that still wait for them.
//!
//! That is the driver of `bsp`; in the other modes it is [`Arrival`], which takes and gives the same.
//!
//! The shell's part: streams deliver in order what they deliver, and a stream that lost something is reported as
//! [`Input::Disconnected`]; for each [`Effect::Compute`] there is one [`Input::StepComputed`], after its last
//! [`Input::Computed`], also if it was abandoned.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arrival;
mod compute;
mod driver;
mod effect;
mod input;
mod link;
mod outbox;
mod parameters;
mod worker;

pub use arrival::Arrival;
pub use driver::Driver;
pub use effect::Effect;
pub use input::Input;
pub use worker::Worker;
