//! What a tfcoord process tells about itself: structured logs, Prometheus metrics, TensorBoard event files.
//!
//! * [`causes`] says an error in one line.
//! * [`logs`] writes one line an event to standard error, as text or JSON, with job, task and attempt on every line of a task.
//! * [`prometheus`] holds the one table of metrics that exist, records them, and serves them on a listener the caller has bound.
//! * [`tensorboard`] writes scalar curves that TensorBoard's own reader loads.
//!
//! Nothing here decides anything, and nothing here reads a clock on behalf of the caller: a wall time that ends up in a file
//! is passed in.

pub mod causes;
pub mod logs;
pub mod prometheus;
pub mod tensorboard;
