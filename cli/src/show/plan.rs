//! The plan line.

use super::number::{count, counted, megabytes};
use crate::job::{Locality, Plan};

/// Tasks, records, batch, steps, and parameters and memory as far as they are known.
pub fn plan(plan: &Plan) -> String {
    let lanes = plan.micro_batches.max(1);
    let records = match plan.eval_records {
        0 => counted(plan.train_records, "record"),
        eval => format!("{} + {} for evaluation", counted(plan.train_records, "record"), count(eval)),
    };
    let batch =
        format!("batch {} = {} x {}", count(plan.batch_size.into()), counted(lanes, "lane"), count((plan.batch_size / lanes).into()));
    let steps = format!("{} x {}", counted(plan.steps_per_epoch, "step"), counted(plan.epochs, "epoch"));
    let mut parts = vec![counted(plan.workers, "worker"), counted(plan.servers, "server"), records, batch, steps];
    match plan.sync.as_str() {
        "" | "bsp" => {}
        // Some layers have another mode in the job file, which counts for nothing.
        sync if sync.starts_with("bsp") => parts.push(sync.to_owned()),
        sync => parts.push(format!("{sync} (not deterministic)")),
    }
    if plan.parameters > 0 {
        parts.push(counted(plan.parameters, "parameter"));
    }
    if plan.worker_bytes > 0 {
        parts.push(format!("worker {}, server {} of memory", megabytes(plan.worker_bytes), megabytes(plan.server_bytes)));
    }
    parts.extend(plan.locality.as_ref().map(near));
    parts.join(", ")
}

fn near(locality: &Locality) -> String {
    match (u128::from(locality.local_bytes) * 100).checked_div(locality.bytes.into()) {
        Some(percent) => format!("{percent} % of the data on their workers' hosts"),
        None => "hosts of the data not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::State;
    use crate::sample;

    #[test]
    fn one_line_says_it_all() {
        let all = sample::job(State::Starting).plan;
        assert_eq!(
            plan(&all),
            "2 workers, 1 server, 8,000 records + 2,000 for evaluation, batch 128 = 4 lanes x 32, 63 steps x 10 epochs, 203,530 parameters, \
             worker 21 MB, server 12 MB of memory"
        );
        let alone = plan(&Plan { sync: "async".into(), ..all.clone() });
        assert!(alone.contains("63 steps x 10 epochs, async (not deterministic), 203,530 parameters"), "{alone}");
        let layers = plan(&Plan { sync: "ssp; local: top".into(), ..all.clone() });
        assert!(layers.contains(", ssp; local: top (not deterministic), "), "{layers}");
        let together = plan(&Plan { sync: "bsp for all layers, since one is; not async: table".into(), ..all.clone() });
        assert!(together.contains(", bsp for all layers, since one is; not async: table, 203,530"), "{together}");
        let near = |local_bytes, bytes| plan(&Plan { locality: Some(Locality { bytes, local_bytes }), ..all.clone() });
        assert!(near(u64::MAX / 3, u64::MAX).ends_with(" of memory, 33 % of the data on their workers' hosts"), "{}", near(1, 3));
        assert!(near(0, 0).ends_with(", hosts of the data not known"));
        let unknown = Plan { eval_records: 0, parameters: 0, worker_bytes: 0, micro_batches: 1, epochs: 1, ..all };
        assert_eq!(plan(&unknown), "2 workers, 1 server, 8,000 records, batch 128 = 1 lane x 128, 63 steps x 1 epoch");
        assert_eq!(plan(&Plan::default()), "0 workers, 0 servers, 0 records, batch 0 = 1 lane x 0, 0 steps x 0 epochs");
    }
}
