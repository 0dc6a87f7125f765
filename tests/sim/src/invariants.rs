//! What must hold whatever happens, one file each. A law that is broken ends the run with its name.

mod arrived;
mod checkpoints;
mod counted;
mod durable;
mod exports;
mod fenced;
mod generation;
mod growing;
mod history;
mod launched;
mod leases;
mod owner;
mod reached;
mod restored;
mod staleness;
mod terminal;
mod views;

pub use exports::Left;

use crate::nature::Node;
use crate::session::Session;
use std::collections::BTreeMap;
use std::fmt::Display;
use tfcoord_ps_core::{Content, Effect, Input, Push, Server};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, JobId};

/// The most pushes that are kept to be replayed.
const SENT_MAX: usize = 512;

/// All laws.
#[derive(Debug, Default)]
pub struct Laws {
    pub history: history::History,
    pub growing: growing::Growing,
    pub exports: exports::Exports,
    pub checkpoints: checkpoints::Checkpoints,
    pub durable: durable::Durable,
    pub launched: launched::Launched,
    pub leases: leases::Leases,
    pub terminal: terminal::Terminal,
    pub views: views::Views,
    arrived: arrived::Arrived,
    counted: counted::Counted,
    owner: owner::Owner,
    restored: restored::Restored,
    // Pushes that were sent, and where to: each of them may come once more.
    sent: Vec<(Node, Push)>,
    sent_count: usize,
}

/// A server before it takes an input.
#[derive(Debug)]
pub struct Who {
    pub job: JobId,
    pub node: Node,
    pub incarnation: Incarnation,
    generation: Generation,
    cursors: Vec<(u32, u64)>,
    // Whether it had chunks before.
    restored_before: bool,
    input: Taken,
}

#[derive(Debug)]
enum Taken {
    Push(Push),
    View,
    Restored(CheckpointId, BTreeMap<u32, Content>),
    Other,
}

impl Laws {
    /// A worker sends a push to the server at this node.
    pub fn sent(&mut self, to: Node, push: &Push) {
        match self.sent.get_mut(self.sent_count % SENT_MAX) {
            Some(place) => *place = (to, push.clone()),
            None => self.sent.push((to, push.clone())),
        }
        self.sent_count += 1;
    }

    /// Pushes that were sent, and where to.
    pub fn pushes(&self) -> &[(Node, Push)] {
        &self.sent
    }

    /// A server is about to take an input.
    pub fn before(&mut self, session: &Session, core: &Server, input: &Input) -> Who {
        let input = match input {
            Input::Push(push) => Taken::Push(Push { payload: Default::default(), ..push.clone() }),
            Input::View(_) => Taken::View,
            Input::Restored { id, contents } => Taken::Restored(*id, contents.clone()),
            _ => Taken::Other,
        };
        Who {
            job: session.launch.job.clone(),
            node: session.node,
            incarnation: session.incarnation().expect("a server with a core has registered"),
            generation: core.generation(),
            restored_before: !core.cursors().is_empty(),
            cursors: core.cursors(),
            input,
        }
    }

    /// It has taken it.
    pub fn after(&mut self, session: &Session, who: &Who, core: &Server, effects: &[Effect]) {
        let Self { history, owner, restored, arrived, counted, .. } = self;
        if let Taken::View = who.input
            && let Some(view) = session.view()
        {
            owner.applied(history, who, view);
        }
        let job = history.cluster().job(&who.job);
        let alone = job.and_then(|job| Some((job, job.shards()?)));
        let counts = match &alone {
            Some((job, shards)) => arrived::counts_input(who, (job, shards), core, effects),
            None => takes(effects),
        };
        if let Taken::Push(push) = &who.input
            && counts
        {
            generation::check(who, push, core);
            fenced::check(history, who, push);
        }
        if let Taken::Restored(id, contents) = &who.input {
            restored.restored(history.root(&who.job), who, (*id, contents), session, core, alone.is_none());
        }
        match &alone {
            Some((job, shards)) => {
                arrived.check((job, shards), session, who, core, effects);
                staleness::check(job, who, core);
            }
            None => {
                restored.made(history.root(&who.job), who, effects);
                counted.check(session, who, core, effects);
            }
        }
        reached::check(history, alone.as_ref().map(|(_, shards)| shards), session, who, core);
    }
}

// Whether a push was taken: held, or the last one of its step.
fn takes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Answer { answer: Answer::Held, .. } | Effect::Updated { .. }))
}

#[track_caller]
fn ensure(holds: bool, place: impl Display, law: &str) {
    assert!(holds, "law broken: {law} ({place})");
}
