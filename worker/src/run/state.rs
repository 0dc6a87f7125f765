//! What the worker reports: its whole state.

use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::report::{Body, EvaluatedShard, Exported, Fault, Report, WorkerReport};
use tfcoord_types::variable::Variable;
use tfcoord_types::view::TaskView;

/// What the worker reports.
#[derive(Debug)]
pub struct State {
    /// Who it is.
    pub incarnation: Incarnation,
    /// Its place among the workers.
    pub index: u32,
    /// The newest view that it has made itself equal to.
    pub applied: Revision,
    /// The step it works on.
    pub step: u64,
    /// Records it has computed gradients for.
    pub records: u64,
    /// Shards of the present evaluation that are done.
    pub evaluated: Vec<EvaluatedShard>,
    /// The export, once it is in its place.
    pub exported: Option<Exported>,
    /// Why it cannot go on.
    pub fault: Option<Fault>,
    generation: Generation,
    variables: Vec<Variable>,
    // Whether the variables are asked for.
    said: bool,
}

impl State {
    /// Of a worker that has just registered, with its model's variables.
    pub fn new(incarnation: Incarnation, index: u32, variables: Vec<Variable>) -> Self {
        Self {
            incarnation,
            index,
            applied: Revision(0),
            step: 0,
            records: 0,
            evaluated: Vec::new(),
            exported: None,
            fault: None,
            generation: Generation(0),
            variables,
            said: false,
        }
    }

    /// Its model's variables.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// From now on the variables are reported, until a view shows a placement.
    pub fn say_variables(&mut self) {
        self.said = true;
    }

    /// A view shows what the coordinator knows; that need not be said again.
    pub fn see(&mut self, view: &TaskView) {
        self.generation = view.generation;
        if view.placement.is_some() {
            self.said = false;
        }
        let open = |e: &EvaluatedShard| {
            let evaluate = view.evaluate.as_ref().filter(|evaluate| evaluate.evaluation == e.evaluation);
            evaluate.is_some_and(|evaluate| evaluate.shards.iter().any(|(shard, _)| *shard == e.shard))
        };
        self.evaluated.retain(open);
    }

    /// The report as of now.
    pub fn report(&self) -> Report {
        let worker = WorkerReport {
            variables: if self.said { self.variables.clone() } else { Vec::new() },
            step: self.step,
            records: self.records,
            evaluated: self.evaluated.clone(),
            exported: self.exported.clone(),
        };
        Report {
            incarnation: self.incarnation,
            applied: self.applied,
            generation: self.generation,
            body: Body::Worker(worker),
            fault: self.fault.clone(),
        }
    }
}
