//! Modes of a checkpoint's variables that are otherwise in the job file: a chunk of another mode keeps other numbers beside its
//! parameters, or counts other steps. Staleness may change, as long as it leaves the same variables together.

use std::mem::discriminant;
use tfcoord_types::job::{Sync, Train};
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::variable::Variable;

/// The first difference, if any: where in the job file, and what to do about it. `variables` are the checkpoint's.
pub(super) fn difference(was: &Train, is: &Train, variables: &[Variable]) -> Option<(&'static str, String)> {
    const REMEDY: &str = "set it back, or submit without --resume";
    let one = was.groups.is_empty() && is.groups.is_empty();
    if was.is_bsp() != is.is_bsp() || (one && !same(&was.sync, &is.sync)) {
        return Some(("train.sync", format!("it was {}, and is {}: {REMEDY}", was.modes_in_words(), is.modes_in_words())));
    }
    let now = |variable: &Variable| Variable { sync: is.sync_of(&variable.name), ..variable.clone() };
    let changed = variables.iter().map(|variable| (variable, was.mode(variable.sync), is.mode(now(variable).sync)));
    if let Some((variable, was, is)) = changed.into_iter().find(|(_, was, is)| !same(was, is)) {
        let problem = format!("that of {} was {}, and is {}: {REMEDY}", variable.name, words(&was), words(&is));
        return Some(("train.groups", problem));
    }
    let now: Vec<Variable> = variables.iter().map(now).collect();
    let problem = format!("layers that had one mode have several now, or the other way round: {REMEDY}");
    (together(variables) != together(&now)).then_some(("train.groups", problem))
}

// Whether chunks of both modes keep the same beside the parameters.
fn same(was: &Sync, is: &Sync) -> bool {
    discriminant(was) == discriminant(is) && momentum(was) == momentum(is)
}

fn momentum(sync: &Sync) -> bool {
    matches!(sync, Sync::Local { momentum, .. } if *momentum > 0.0)
}

fn words(sync: &Sync) -> String {
    format!("{}{}", sync.name(), if momentum(sync) { " with momentum" } else { "" })
}

// Which variables share a slab.
fn together(variables: &[Variable]) -> Vec<Vec<u32>> {
    let slabs = Layout::new(variables, SEGMENT).map(|layout| layout.slabs).unwrap_or_default();
    slabs.into_iter().map(|slab| slab.variables.into_iter().map(|placed| placed.index).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::variable::{Group, Initializer};

    fn train(sync: &str, groups: &str) -> Train {
        let text = format!(r#"{{"batch_size": 4, "epochs": 1, "optimizer": {{"add": {{}}}}, "sync": {sync}, "groups": [{groups}]}}"#);
        serde_json::from_str(&text).unwrap()
    }

    // What a checkpoint of one training says to another one.
    fn said(was: &Train, is: &Train) -> String {
        let variable = |name: &str| {
            let sync = was.sync_of(name);
            Variable { name: name.into(), shape: vec![2], initializer: Initializer::Zeros, group: Group::Train, sync }
        };
        let found = difference(was, is, &["table/table", "top/kernel", "top/bias"].map(variable));
        found.map(|(path, problem)| format!("{path}: {problem}")).unwrap_or_default()
    }

    #[test]
    fn each_layer_keeps_its_mode() {
        let local = |more: &str| format!(r#"{{"layers": ["top"], "sync": {{"local": {{"every": 4{more}}}}}}}"#);
        let mixed = train(r#"{"async": {}}"#, &local(""));
        assert_eq!(said(&mixed, &mixed), "");
        let turned = train(r#"{"local": {"every": 4}}"#, r#"{"layers": ["table"], "sync": {"async": {}}}"#);
        assert_eq!(said(&mixed, &turned), "", "the same, said in another way");
        let one = train(r#"{"async": {}}"#, "");
        let expected = "train.groups: that of top/kernel was local, and is async: set it back, or submit without --resume";
        assert_eq!(said(&mixed, &one), expected);
        assert!(said(&one, &mixed).contains("that of top/kernel was async, and is local"));
        let with_momentum = train(r#"{"async": {}}"#, &local(r#", "momentum": 0.5"#));
        assert!(said(&mixed, &with_momentum).contains("top/kernel was local, and is local with momentum"));
        let bsp = train(r#""bsp""#, "");
        assert_eq!(said(&bsp, &mixed), "train.sync: it was bsp, and is async; local: top: set it back, or submit without --resume");
        assert_eq!(said(&bsp, &train(r#""bsp""#, &local(""))), "", "as good as without groups");
        assert_eq!(said(&one, &bsp), "train.sync: it was async, and is bsp: set it back, or submit without --resume");
    }

    #[test]
    fn staleness_may_change_but_for_what_shares_a_slab() {
        let ssp = |staleness: u32| format!(r#"{{"ssp": {{"staleness": {staleness}}}}}"#);
        let group = |staleness| format!(r#"{{"layers": ["top"], "sync": {}}}"#, ssp(staleness));
        assert_eq!(said(&train(&ssp(1), ""), &train(&ssp(3), "")), "");
        assert_eq!(said(&train(&ssp(1), &group(2)), &train(&ssp(4), &group(3))), "");
        let split = said(&train(&ssp(1), ""), &train(&ssp(1), &group(3)));
        assert!(split.starts_with("train.groups: layers that had one mode have several now"), "{split}");
    }
}
