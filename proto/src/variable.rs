//! Variables.

use crate::{Malformed, needed, sensible, v1};
use prost::Message;
use sha2::{Digest, Sha256};
use tfcoord_types::job::Sync;
use tfcoord_types::variable::{Group, Initializer, Variable};
use v1::variable as wire;

impl From<Variable> for v1::Variable {
    fn from(variable: Variable) -> Self {
        let initializer = match variable.initializer {
            Initializer::Zeros => wire::Initializer::Zeros(wire::Zeros {}),
            Initializer::Ones => wire::Initializer::Ones(wire::Ones {}),
            Initializer::Uniform { limit } => wire::Initializer::UniformLimit(limit),
            Initializer::Normal { deviation } => wire::Initializer::NormalDeviation(deviation),
        };
        let group = match variable.group {
            Group::Train => wire::Group::Train(wire::Train {}),
            Group::Average { momentum } => wire::Group::AverageMomentum(momentum),
            Group::Curve => wire::Group::Curve(wire::Curve {}),
            Group::Add => wire::Group::Add(wire::Add {}),
        };
        // With a `bsp` layer no other one has a mode of its own.
        let sync = variable.sync.and_then(|sync| match sync {
            Sync::Bsp => None,
            Sync::Ssp { staleness } => Some(wire::Sync::SspStaleness(staleness)),
            Sync::Async {} => Some(wire::Sync::Async(wire::Async {})),
            Sync::Local { every, momentum } => Some(wire::Sync::Local(wire::Local { every, momentum })),
        });
        Self { name: variable.name, shape: variable.shape, initializer: Some(initializer), group: Some(group), sync }
    }
}

impl TryFrom<v1::Variable> for Variable {
    type Error = Malformed;

    fn try_from(message: v1::Variable) -> Result<Self, Malformed> {
        let initializer = match needed(message.initializer, "Variable.initializer")? {
            wire::Initializer::Zeros(_) => Initializer::Zeros,
            wire::Initializer::Ones(_) => Initializer::Ones,
            wire::Initializer::UniformLimit(limit) => Initializer::Uniform { limit },
            wire::Initializer::NormalDeviation(deviation) => Initializer::Normal { deviation },
        };
        let group = match needed(message.group, "Variable.group")? {
            wire::Group::Train(_) => Group::Train,
            wire::Group::AverageMomentum(momentum) => Group::Average { momentum },
            wire::Group::Curve(_) => Group::Curve,
            wire::Group::Add(_) => Group::Add,
        };
        let sync = message.sync.map(sync).transpose()?;
        Ok(Self { name: message.name, shape: message.shape, initializer, group, sync })
    }
}

fn sync(sync: wire::Sync) -> Result<Sync, Malformed> {
    match sync {
        wire::Sync::SspStaleness(staleness) if staleness > 0 => Ok(Sync::Ssp { staleness }),
        wire::Sync::Async(_) => Ok(Sync::Async {}),
        wire::Sync::Local(wire::Local { every, momentum }) if every > 0 && (0.0..1.0).contains(&momentum) => {
            Ok(Sync::Local { every, momentum })
        }
        wire::Sync::SspStaleness(_) | wire::Sync::Local(_) => sensible(None, "Variable.sync"),
    }
}

/// SHA-256 over the variables as messages, each behind its length: equal lists, equal digests.
pub fn variables_digest(variables: &[Variable]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for variable in variables {
        hash.update(v1::Variable::from(variable.clone()).encode_length_delimited_to_vec());
    }
    hash.finalize().into()
}
