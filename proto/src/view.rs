//! A task's view.

use crate::{Malformed, needed, sensible, v1};
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::MICRO_BATCHES_MAX;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::view::{Directive, Evaluate, Export, Lease, TaskView};
use v1::task_view as wire;

impl From<TaskView> for v1::TaskView {
    fn from(view: TaskView) -> Self {
        let directive = match view.directive {
            Directive::Wait => wire::Directive::Wait(wire::Wait {}),
            Directive::Run => wire::Directive::Run(wire::Run {}),
            Directive::Stop { reason } => wire::Directive::Stop(wire::Stop { reason }),
            Directive::Fenced => wire::Directive::Fenced(wire::Fenced {}),
        };
        Self {
            revision: view.revision.0,
            incarnation: view.incarnation.0,
            directive: Some(directive),
            generation: view.generation.0,
            plan: Some(view.plan.into()),
            placement: view.placement.map(Into::into),
            servers: view.servers.into_iter().map(Into::into).collect(),
            owners: view.owners.into_iter().map(|owner| owner.map_or(0, |o| o.0)).collect(),
            workers: view.workers.into_iter().map(|w| w.0).collect(),
            leases: view.leases.into_iter().map(Into::into).collect(),
            run_until: view.run_until,
            evaluate: view.evaluate.map(Into::into),
            export: view.export.map(Into::into),
            evaluations: view.evaluations.into_iter().map(Into::into).collect(),
            restore: view.restore.map(Into::into),
            cut: view.cut.map(Into::into),
        }
    }
}

impl TryFrom<v1::TaskView> for TaskView {
    type Error = Malformed;

    fn try_from(message: v1::TaskView) -> Result<Self, Malformed> {
        let directive = match needed(message.directive, "TaskView.directive")? {
            wire::Directive::Wait(_) => Directive::Wait,
            wire::Directive::Run(_) => Directive::Run,
            wire::Directive::Stop(stop) => Directive::Stop { reason: stop.reason },
            wire::Directive::Fenced(_) => Directive::Fenced,
        };
        let plan: TrainPlan = needed(message.plan, "TaskView.plan")?.try_into()?;
        let owners = message.owners.into_iter().map(|owner| (owner > 0).then_some(Incarnation(owner))).collect::<Vec<_>>();
        let as_planned = owners.len() == plan.micro_batches as usize;
        let servers: Result<_, _> = message.servers.into_iter().map(TryInto::try_into).collect();
        let evaluations: Result<_, _> = message.evaluations.into_iter().map(TryInto::try_into).collect();
        Ok(Self {
            revision: Revision(message.revision),
            incarnation: Incarnation(message.incarnation),
            directive,
            generation: Generation(message.generation),
            plan,
            placement: message.placement.map(TryInto::try_into).transpose()?,
            servers: servers?,
            owners: sensible(as_planned.then_some(owners), "TaskView.owners")?,
            workers: message.workers.into_iter().map(Incarnation).collect(),
            leases: message.leases.into_iter().map(Into::into).collect(),
            run_until: message.run_until,
            evaluate: message.evaluate.map(Into::into),
            export: message.export.map(TryInto::try_into).transpose()?,
            evaluations: evaluations?,
            restore: message.restore.map(TryInto::try_into).transpose()?,
            cut: message.cut.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<Lease> for v1::Lease {
    fn from(Lease { shard, owner }: Lease) -> Self {
        Self { shard, owner: owner.map_or(0, |owner| owner.0) }
    }
}

impl From<v1::Lease> for Lease {
    fn from(v1::Lease { shard, owner }: v1::Lease) -> Self {
        Self { shard, owner: (owner > 0).then_some(Incarnation(owner)) }
    }
}

impl From<TrainPlan> for v1::TrainPlan {
    fn from(TrainPlan { records, batch_size, micro_batches, epochs }: TrainPlan) -> Self {
        Self { records, batch_size, micro_batches, epochs }
    }
}

impl TryFrom<v1::TrainPlan> for TrainPlan {
    type Error = Malformed;

    fn try_from(message: v1::TrainPlan) -> Result<Self, Malformed> {
        let v1::TrainPlan { records, batch_size, micro_batches, epochs } = message;
        let lanes = micro_batches.is_power_of_two() && micro_batches <= MICRO_BATCHES_MAX && batch_size.is_multiple_of(micro_batches);
        let fine = lanes && (1..1 << 48).contains(&records) && batch_size > 0 && epochs > 0;
        sensible(fine.then_some(Self { records, batch_size, micro_batches, epochs }), "TrainPlan")
    }
}

impl From<Evaluate> for v1::Evaluate {
    fn from(evaluate: Evaluate) -> Self {
        let shard = |(shard, records): (u32, std::ops::Range<u64>)| v1::EvaluationShard { shard, start: records.start, end: records.end };
        Self { evaluation: evaluate.evaluation, step: evaluate.step, shards: evaluate.shards.into_iter().map(shard).collect() }
    }
}

impl From<v1::Evaluate> for Evaluate {
    fn from(message: v1::Evaluate) -> Self {
        let shards = message.shards.into_iter().map(|s| (s.shard, s.start..s.end)).collect();
        Self { evaluation: message.evaluation, step: message.step, shards }
    }
}

impl From<Export> for v1::Export {
    fn from(export: Export) -> Self {
        let evaluations = export.evaluations.into_iter().map(Into::into).collect();
        Self { step: export.step, dir: export.dir, attempt: export.attempt, evaluations }
    }
}

impl TryFrom<v1::Export> for Export {
    type Error = Malformed;

    fn try_from(message: v1::Export) -> Result<Self, Malformed> {
        let evaluations: Result<_, _> = message.evaluations.into_iter().map(TryInto::try_into).collect();
        Ok(Self { step: message.step, dir: message.dir, attempt: message.attempt, evaluations: evaluations? })
    }
}
