//! `train.groups`: each names layers, and each layer is in one at most.

use super::{Found, check_mode, graph};
use crate::job::walk::nearest;
use crate::job::{JobFile, ModelKind, Problem, Sync, Train};

/// The counting model's only variable stands for a layer.
const COUNTING: &str = "count";
/// So many names are shown.
const SHOWN_MAX: usize = 12;

pub(super) fn check(job: &JobFile, found: &mut Found) {
    let train = &job.train;
    let mut rounds = round("train.sync", &train.sync);
    for (index, group) in train.groups.iter().enumerate() {
        let path = format!("train.groups[{index}]");
        let remedy = "name at least one, or remove the group";
        found.unless(!group.layers.is_empty(), &format!("{path}.layers"), "there are no layers in it", remedy);
        for (place, name) in group.layers.iter().enumerate() {
            let here = |other: &usize| if *other == index { &group.layers[..place] } else { &train.groups[*other].layers };
            if let Some(other) = (0..=index).find(|other| here(other).contains(name)) {
                let message = format!("{name:?} is in train.groups[{other}] already");
                found.at(&format!("{path}.layers[{place}]"), message, "remove it: a layer has one mode");
            }
        }
        check_mode(&group.sync, &format!("{path}.sync"), found);
        match (&rounds, round(&format!("{path}.sync"), &group.sync)) {
            (Some((other, every)), Some((_, mine))) if *every != mine => {
                let message = format!("it is {mine}, and that of {other} is {every}");
                found.at(&format!("{path}.sync.local.every"), message, "use the same: a worker has one round for all that is local");
            }
            (None, mine) => rounds = mine,
            _ => {}
        }
    }
    // What a preset's layers are called is known with the data.
    if job.model.preset.is_none() {
        let names: Vec<String> = match job.model.kind {
            ModelKind::Counting => vec![COUNTING.to_owned()],
            ModelKind::Layers => job.model.layers.iter().enumerate().map(|(index, entry)| graph::name(entry, index)).collect(),
        };
        found.0.extend(unknown_layers(train, &names));
    }
}

/// What groups name that is none of the layers of these names.
pub fn unknown_layers(train: &Train, known: &[String]) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    for (index, group) in train.groups.iter().enumerate() {
        for (place, name) in group.layers.iter().enumerate().filter(|(_, name)| !known.contains(name)) {
            let shown: Vec<String> = known.iter().take(SHOWN_MAX).map(|name| format!("{name:?}")).collect();
            let more = if known.len() > SHOWN_MAX { ", …" } else { "" };
            let remedy = match nearest(name, known.iter().map(String::as_str)) {
                Some(likely) => format!("did you mean {likely:?}?"),
                None => format!("name one of {}{more}", shown.join(", ")),
            };
            found.at(&format!("train.groups[{index}].layers[{place}]"), format!("there is no layer called {name:?}"), &remedy);
        }
    }
    found.0
}

fn round(path: &str, sync: &Sync) -> Option<(String, u32)> {
    if let Sync::Local { every, .. } = sync { Some((path.to_owned(), *every)) } else { None }
}
