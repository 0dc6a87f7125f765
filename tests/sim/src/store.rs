//! Where checkpoints lie: files that are written in parts, and are durable once they were synced. A crash of the machine
//! loses or tears what was not; a crash of a process leaves what it had written.
//!
//! What is written where and in which order is what the production crate `tfcoord-checkpoint` does: parts, each synced
//! and looked at again; then the manifest, if every part is as long as it says; then the directory's sync.

use crate::chance::Chance;
use crate::model::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tfcoord_checkpoint::{Manifest, PartName};
use tfcoord_coordinator::leader::saver::{Files, Leftovers};
use tfcoord_ps_core::{Content, Head};
use tfcoord_types::checkpoint::{Checkpoint, PartFile};
use tfcoord_types::id::{CheckpointId, JobId};

/// What goes wrong with the files of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No room: what is written fails.
    Full,
    /// The next sync fails.
    SyncFails,
    /// The next checkpoint that is read cannot be.
    ReadFails,
}

/// What the leader wants done, on a thread that it does not wait for.
#[derive(Debug, Clone)]
pub enum Order {
    Commit { job: JobId, dir: String, manifest: Box<Manifest> },
    Sweep(Leftovers),
}

/// Simulated files. Clones are the same ones.
#[derive(Debug, Clone)]
pub struct Store(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    parts: BTreeMap<(String, String), Part>,
    manifests: BTreeMap<(String, CheckpointId), Written>,
    orders: Vec<Order>,
    trouble: Option<Trouble>,
    // What a fault has damaged, or has kept from being read.
    spoiled: BTreeSet<CheckpointId>,
    unread: BTreeSet<CheckpointId>,
    chance: Chance,
}

#[derive(Debug, Default)]
struct Part {
    contents: BTreeMap<u32, Content>,
    length: u64,
    durable: bool,
    damaged: bool,
}

#[derive(Debug)]
struct Written {
    manifest: Manifest,
    durable: bool,
    damaged: bool,
}

impl Store {
    pub fn new(chance: Chance) -> Self {
        let (parts, manifests) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(State {
            parts,
            manifests,
            orders: Vec::new(),
            trouble: None,
            spoiled: BTreeSet::new(),
            unread: BTreeSet::new(),
            chance,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the files")
    }

    /// From now on this goes wrong; `None`: nothing more does.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    /// The machine stops and starts again.
    pub fn crash(&self) {
        let mut state = self.state();
        let State { parts, manifests, orders, chance, trouble, .. } = &mut *state;
        (*orders, *trouble) = (Vec::new(), None);
        // A file that was not durable is gone, torn, or there all the same.
        let fate = |durable: &mut bool, damaged: &mut bool, chance: &mut Chance| {
            let fate = if *durable { 0 } else { chance.below(3) };
            *damaged |= fate == 1;
            *durable = true;
            fate < 2
        };
        parts.retain(|_, part| fate(&mut part.durable, &mut part.damaged, chance));
        manifests.retain(|_, written| fate(&mut written.durable, &mut written.damaged, chance));
    }

    /// Damages a checkpoint that is there; whether there is one.
    pub fn spoil(&self, chance: &mut Chance) -> bool {
        let mut state = self.state();
        let State { parts, manifests, spoiled, .. } = &mut *state;
        let keys: Vec<(String, CheckpointId)> = manifests.keys().cloned().collect();
        let Some(key) = (!keys.is_empty()).then(|| keys[chance.index(keys.len())].clone()) else { return false };
        let (dir, id) = key.clone();
        spoiled.insert(id);
        let written = manifests.get_mut(&key).expect("it was just there");
        let part = chance.index(written.manifest.parts.len());
        let part = (dir, written.manifest.parts[part].file.clone());
        match chance.below(4) {
            0 => written.damaged = true,
            1 => drop(manifests.remove(&key)),
            2 => drop(parts.remove(&part)),
            _ => parts.get_mut(&part).into_iter().for_each(|part| part.damaged = true),
        }
        true
    }

    /// Makes a part's file.
    pub fn create(&self, dir: &str, file: &str) -> Result<(), String> {
        let mut state = self.state();
        state.room("create", file)?;
        let old = state.parts.insert((dir.to_owned(), file.to_owned()), Part::default());
        if old.is_some() { Err(format!("{file} exists")) } else { Ok(()) }
    }

    /// Writes a chunk of a part.
    pub fn write(&self, dir: &str, file: &str, chunk: u32, content: Content) -> Result<(), String> {
        let mut state = self.state();
        state.room("write", file)?;
        let part = state.parts.get_mut(&(dir.to_owned(), file.to_owned())).ok_or_else(|| format!("{file} is gone"))?;
        part.length += length(&content);
        part.contents.insert(chunk, content);
        Ok(())
    }

    /// Makes a part durable.
    pub fn finish(&self, dir: &str, file: &str) -> Result<PartFile, String> {
        let mut state = self.state();
        let key = (dir.to_owned(), file.to_owned());
        if let Err(error) = state.sync(file) {
            state.parts.remove(&key);
            return Err(error);
        }
        let part = state.parts.get_mut(&key).ok_or_else(|| format!("{file} is gone"))?;
        part.durable = true;
        Ok(PartFile { file: file.to_owned(), length: part.length, crc32c: checksum(part) })
    }

    /// Removes a part that is not wanted any more.
    pub fn remove(&self, dir: &str, file: &str) {
        self.state().parts.remove(&(dir.to_owned(), file.to_owned()));
    }

    /// Reads chunks of a checkpoint.
    pub fn read(&self, checkpoint: &Checkpoint, heads: &[Head]) -> Result<BTreeMap<u32, Content>, String> {
        let Checkpoint { id, dir } = checkpoint;
        let mut state = self.state();
        if state.trouble.take_if(|trouble| *trouble == Trouble::ReadFails).is_some() {
            state.unread.insert(*id);
            return Err("input/output error".to_owned());
        }
        let manifest = state.manifest(dir, *id)?;
        let mut contents = BTreeMap::new();
        for file in &manifest.parts {
            // Of the others only that they are there.
            let part = state.parts.get(&(dir.clone(), file.file.clone())).ok_or_else(|| format!("there is no {}", file.file))?;
            let wanted = heads.iter().any(|head| part.contents.contains_key(&head.id));
            if wanted {
                state.part(dir, file)?;
            }
            if wanted && checksum(part) != file.crc32c {
                return Err(format!("{} has another checksum", file.file));
            }
            contents.extend(part.contents.iter().map(|(chunk, content)| (*chunk, content)));
        }
        let one = |head: &Head| {
            let content = contents.get(&head.id).map(|content| (*content).clone());
            let slots = |content: &Content| content.slots.numbers().iter().filter(|slot| !slot.is_empty()).count() as u64;
            let content = content.filter(|content| slots(content) == head.slots && content.curve.is_empty() != head.curve);
            content.map(|content| (head.id, content)).ok_or_else(|| format!("it lacks chunk {}", head.id))
        };
        heads.iter().map(one).collect()
    }

    /// What lies there, by directory: manifests that can be read and whose parts have their lengths, the newest first. That
    /// a part is damaged is only seen by whoever reads it.
    pub fn found(&self) -> Vec<(Vec<Manifest>, PathBuf)> {
        let state = self.state();
        let mut found: BTreeMap<&String, Vec<Manifest>> = BTreeMap::new();
        for ((dir, _), written) in state.manifests.iter().rev().filter(|(_, written)| !written.damaged) {
            let there = |file: &PartFile| state.parts.get(&(dir.clone(), file.file.clone())).is_some_and(|part| part.length == file.length);
            if written.manifest.parts.iter().all(there) {
                found.entry(dir).or_default().push(written.manifest.clone());
            }
        }
        found.into_iter().map(|(dir, manifests)| (manifests, PathBuf::from(dir))).collect()
    }

    /// Whether all parts of a checkpoint are what was written.
    pub fn verify(&self, dir: &Path, manifest: &Manifest) -> Result<(), String> {
        let (state, dir) = (self.state(), dir.to_string_lossy());
        manifest.parts.iter().try_for_each(|file| state.part(&dir, file).map(drop))
    }

    /// Whatever has a name there keeps it.
    pub fn sync_directory(&self, dir: &str) -> Result<(), String> {
        let mut state = self.state();
        state.sync("the directory")?;
        state.manifests.iter_mut().filter(|((of, _), _)| of == dir).for_each(|(_, written)| written.durable = true);
        Ok(())
    }

    /// Why a checkpoint is not there, whole and durable; nothing if it is, or if a fault has damaged it.
    pub fn missing(&self, checkpoint: &Checkpoint) -> Option<String> {
        let state = self.state();
        let Checkpoint { id, dir } = checkpoint;
        if state.spoiled.contains(id) {
            return None;
        }
        let whole = state.manifest(dir, *id).and_then(|manifest| {
            let durable = state.manifests[&(dir.clone(), *id)].durable;
            let durable = durable && manifest.parts.iter().all(|file| state.part(dir, file).is_ok_and(|part| part.durable));
            if durable { Ok(()) } else { Err("it is not durable".to_owned()) }
        });
        whole.err()
    }

    /// Whether a fault is to blame if a checkpoint cannot be read.
    pub fn excuses(&self, id: CheckpointId) -> bool {
        let state = self.state();
        state.unread.contains(&id) || state.spoiled.contains(&id)
    }

    /// What the leader wants done; it is not said again.
    pub fn orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.state().orders)
    }

    /// The first half of a commit: the manifest has its name. Whether that is new.
    pub fn place(&self, dir: &str, manifest: &Manifest) -> Result<bool, String> {
        let mut state = self.state();
        manifest.check().map_err(|error| error.to_string())?;
        manifest.parts.iter().try_for_each(|file| state.part(dir, file).map(drop))?;
        let key = (dir.to_owned(), manifest.id);
        if let Some(Written { manifest: found, damaged, .. }) = state.manifests.get(&key) {
            // What was evaluated since changes nothing.
            let (saved_at_ms, evaluations) = (found.saved_at_ms, found.evaluations.clone());
            let same = !damaged && *found == Manifest { saved_at_ms, evaluations, ..manifest.clone() };
            return if same { Ok(false) } else { Err("another manifest has the name".to_owned()) };
        }
        state.room("write", "the manifest")?;
        state.sync("the manifest")?;
        state.manifests.insert(key, Written { manifest: manifest.clone(), durable: false, damaged: false });
        Ok(true)
    }

    /// The second half: it is there for good.
    pub fn make_durable(&self, dir: &str, id: CheckpointId) -> Result<(), String> {
        let mut state = self.state();
        state.sync("the directory")?;
        let written = state.manifests.get_mut(&(dir.to_owned(), id)).ok_or("the manifest is gone")?;
        written.durable = true;
        Ok(())
    }

    /// Removes what is not wanted any more, as `tfcoord_checkpoint::sweep` does; how many checkpoints.
    pub fn sweep(&self, Leftovers { dir, keep, in_use }: &Leftovers) -> usize {
        let mut state = self.state();
        let mut all: Vec<CheckpointId> = state.manifests.keys().filter(|(of, _)| of == dir).map(|(_, id)| *id).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        let whole = |id: &&CheckpointId| state.manifest(dir, **id).is_ok_and(|m| m.parts.iter().all(|file| state.part(dir, file).is_ok()));
        let kept: Vec<CheckpointId> = all.iter().filter(whole).take((*keep).max(1)).copied().collect();
        let (Some(newest), Some(oldest)) = (kept.first().copied(), kept.last().copied()) else { return 0 };
        let known = |id: &CheckpointId| in_use.iter().max().is_none_or(|newest| id < newest);
        let gone: BTreeSet<CheckpointId> = all.iter().filter(|id| **id < oldest && known(id) && !in_use.contains(id)).copied().collect();
        state.manifests.retain(|(of, id), _| of != dir || !gone.contains(id));
        let State { parts, manifests, .. } = &mut *state;
        let named = |id: &CheckpointId| in_use.contains(id) || manifests.contains_key(&(dir.clone(), *id));
        let of = |file: &str| PartName::parse(file).expect("parts are called so").id;
        parts.retain(|(in_dir, file), _| in_dir != dir || of(file) >= newest || !known(&of(file)) || named(&of(file)));
        gone.len()
    }
}

impl Files for Store {
    fn commit(&self, job: &JobId, dir: String, manifest: Manifest) -> io::Result<()> {
        self.state().orders.push(Order::Commit { job: job.clone(), dir, manifest: Box::new(manifest) });
        Ok(())
    }

    fn sweep(&self, _job: &JobId, leftovers: Leftovers) {
        self.state().orders.push(Order::Sweep(leftovers));
    }
}

impl State {
    fn room(&self, operation: &str, file: &str) -> Result<(), String> {
        if self.trouble == Some(Trouble::Full) { Err(format!("cannot {operation} {file}: no space left on device")) } else { Ok(()) }
    }

    fn sync(&mut self, file: &str) -> Result<(), String> {
        let fails = self.trouble.take_if(|trouble| *trouble == Trouble::SyncFails);
        if fails.is_some() { Err(format!("cannot sync {file}: input/output error")) } else { Ok(()) }
    }

    fn manifest(&self, dir: &str, id: CheckpointId) -> Result<&Manifest, String> {
        let written = self.manifests.get(&(dir.to_owned(), id)).ok_or_else(|| format!("there is no manifest of {id}"))?;
        if written.damaged { Err(format!("the manifest of {id} is damaged")) } else { Ok(&written.manifest) }
    }

    fn part(&self, dir: &str, file: &PartFile) -> Result<&Part, String> {
        let part = self.parts.get(&(dir.to_owned(), file.file.clone())).ok_or_else(|| format!("there is no {}", file.file))?;
        let whole = !part.damaged && part.length == file.length;
        if whole { Ok(part) } else { Err(format!("{} is damaged", file.file)) }
    }
}

fn length(content: &Content) -> u64 {
    let slots: usize = content.slots.numbers().iter().map(|slot| slot.len() * 4).sum();
    (content.values.len() + slots + content.curve.len() * 12) as u64
}

fn checksum(part: &Part) -> u32 {
    let words = |content: &Content| {
        let values: Vec<u32> = content.values.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let slots = content.slots.numbers().into_iter().flatten().map(|number| number.to_bits()).collect::<Vec<_>>();
        let curve = content.curve.iter().flat_map(|point| [point.loss_sum, point.records, point.correct].map(f32::to_bits));
        values.into_iter().chain(slots).chain(curve.collect::<Vec<_>>())
    };
    let all = digest(part.contents.iter().flat_map(|(chunk, content)| std::iter::once(*chunk).chain(words(content))));
    u32::try_from(all >> 32).expect("half of it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_ps_core::optimizer::Slots;

    fn content() -> Content {
        Content { values: vec![7; 16].into(), slots: Slots::default(), curve: Vec::new(), counted: Vec::new() }
    }

    #[test]
    fn what_is_finished_survives_a_crash_and_the_rest_may_not() {
        let mut fates = BTreeSet::new();
        for seed in 0..50 {
            let store = Store::new(Chance::new(seed, 0));
            for file in ["a", "b"] {
                store.create("/d", file).unwrap();
                store.write("/d", file, 3, content()).unwrap();
            }
            let whole = store.finish("/d", "a").unwrap();
            store.crash();
            let state = store.state();
            assert!(state.part("/d", &whole).is_ok());
            fates.insert(state.part("/d", &PartFile { file: "b".into(), ..whole }).err());
        }
        assert_eq!(fates.len(), 3, "{fates:?}");
    }

    #[test]
    fn what_cannot_be_written_or_synced_is_said() {
        let store = Store::new(Chance::new(1, 0));
        store.create("/d", "a").unwrap();
        store.trouble(Some(Trouble::Full));
        assert!(store.write("/d", "a", 3, content()).is_err() && store.create("/d", "b").is_err());
        store.trouble(Some(Trouble::SyncFails));
        store.write("/d", "a", 3, content()).unwrap();
        assert!(store.finish("/d", "a").is_err() && store.finish("/d", "a").is_err(), "it is gone");
    }
}
