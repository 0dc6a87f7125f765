//! What became of a push.

use crate::{Malformed, needed, v1};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::Revision;
use v1::push_answer as wire;

impl From<Answer> for wire::Answer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Held => wire::Answer::Held(wire::Held {}),
            Answer::Duplicate => wire::Answer::Duplicate(wire::Duplicate {}),
            Answer::Counted { next } => wire::Answer::Counted(wire::Counted { next }),
            Answer::NotOwner => wire::Answer::NotOwner(wire::NotOwner {}),
            Answer::NotYet { revision } => wire::Answer::NotYet(wire::NotYet { revision: revision.0 }),
            Answer::Fenced => wire::Answer::Fenced(wire::Fenced {}),
            Answer::Ahead => wire::Answer::Ahead(wire::Ahead {}),
            Answer::Refused { reason } => wire::Answer::Refused(wire::Refused { reason }),
        }
    }
}

impl TryFrom<v1::PushAnswer> for Answer {
    type Error = Malformed;

    fn try_from(message: v1::PushAnswer) -> Result<Self, Malformed> {
        Ok(match needed(message.answer, "PushAnswer.answer")? {
            wire::Answer::Held(_) => Answer::Held,
            wire::Answer::Duplicate(_) => Answer::Duplicate,
            wire::Answer::Counted(counted) => Answer::Counted { next: counted.next },
            wire::Answer::NotOwner(_) => Answer::NotOwner,
            wire::Answer::NotYet(not_yet) => Answer::NotYet { revision: Revision(not_yet.revision) },
            wire::Answer::Fenced(_) => Answer::Fenced,
            wire::Answer::Ahead(_) => Answer::Ahead,
            wire::Answer::Refused(refused) => Answer::Refused { reason: refused.reason },
        })
    }
}
