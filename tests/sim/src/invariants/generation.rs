//! What was computed of another generation of the parameters never counts.

use super::{Who, ensure};
use tfcoord_ps_core::{Push, Server};

/// A server has taken a push.
pub fn check(who: &Who, push: &Push, core: &Server) {
    let (of, now) = (push.generation, core.generation());
    let place = format_args!("{}: generation {of} in {now}, step {} chunk {}", who.node, push.step, push.chunk).to_string();
    ensure(of == now && of == who.generation, place, "a push of another generation never counts");
}
