//! What of a model's graph can be seen without the data: names, and which layer sees which.

use super::Found;
use crate::job::{Format, JobFile, Layer, LayerEntry};

/// What stands for columns.
const KINDS: [&str; 2] = ["numbers", "categories"];

/// What a layer is called.
pub(super) fn name(entry: &LayerEntry, index: usize) -> String {
    entry.name.clone().unwrap_or_else(|| format!("{}_{index}", entry.layer.kind()))
}

pub(super) fn check(job: &JobFile, found: &mut Found) {
    let layers = &job.model.layers;
    let mut names: Vec<String> = Vec::with_capacity(layers.len());
    let mut is_seen = vec![false; layers.len()];
    for (index, entry) in layers.iter().enumerate() {
        let (path, kind) = (format!("model.layers[{index}]"), entry.layer.kind());
        let inputs = format!("{path}.input");
        match &entry.input {
            None => is_seen[index.saturating_sub(1)] |= index > 0,
            Some(seen) => {
                let message = format!("{kind} has an empty list of inputs");
                found.unless(seen.iter().next().is_some(), &inputs, message, "name at least one, or leave it out");
                for name in seen.iter() {
                    match names.iter().position(|known| known == name) {
                        Some(at) => is_seen[at] = true,
                        None if may_be_data(job, name) => {}
                        None => unknown(job, name, &inputs, found),
                    }
                }
            }
        }
        if matches!(entry.layer, Layer::Add {} | Layer::Concatenate {}) && entry.input.as_ref().is_none_or(|seen| seen.iter().count() < 2) {
            let remedy = "name them, as in \"input\": [\"a\", \"b\"]";
            found.at(&path, format!("{kind} needs several inputs"), remedy);
        }
        let name = name(entry, index);
        if let Some(other) = names.iter().position(|known| *known == name) {
            let path = if entry.name.is_some() { format!("{path}.name") } else { path };
            found.at(&path, format!("layer {other} is called {name:?} too"), "use another name");
        }
        names.push(name);
    }
    for (index, name) in names.iter().enumerate().take(layers.len().saturating_sub(1)).filter(|(index, _)| !is_seen[*index]) {
        let message = format!("no layer sees what {name:?} gives");
        found.at(&format!("model.layers[{index}]"), message, "name it in the input of a layer after it, or remove it");
    }
}

// Whether the data may give something of this name.
fn may_be_data(job: &JobFile, name: &str) -> bool {
    if name == "features" {
        return true;
    }
    let columns = &job.data.features;
    job.data.format == Format::Csv && (KINDS.contains(&name) || columns.is_empty() || columns.iter().any(|column| column.column() == name))
}

fn unknown(job: &JobFile, name: &str, path: &str, found: &mut Found) {
    let is_later = job.model.layers.iter().any(|entry| entry.name.as_deref() == Some(name));
    let (message, remedy) = match job.data.format {
        _ if is_later => (format!("{name:?} is no layer before this one"), "a layer sees layers before it: move one of them"),
        Format::Idx => (format!("{name:?} is no layer before this one"), "name one, or \"features\""),
        Format::Csv => (
            format!("{name:?} is neither a layer before this one nor a column of data.features"),
            "name one, or \"features\", \"numbers\" or \"categories\"",
        ),
    };
    found.at(path, message, remedy);
}
