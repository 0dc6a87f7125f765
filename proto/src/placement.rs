//! Where chunks lie and servers listen.

use crate::{Malformed, sensible, v1};
use tfcoord_types::id::Incarnation;
use tfcoord_types::view::{Placement, ServerAddress};

impl From<Placement> for v1::Placement {
    fn from(placement: Placement) -> Self {
        Self {
            epoch: placement.epoch,
            variables: placement.variables.into_iter().map(Into::into).collect(),
            chunk_elements: placement.chunk_elements,
            servers: placement.servers,
        }
    }
}

impl TryFrom<v1::Placement> for Placement {
    type Error = Malformed;

    fn try_from(message: v1::Placement) -> Result<Self, Malformed> {
        let variables: Result<_, _> = message.variables.into_iter().map(TryInto::try_into).collect();
        Ok(Self { epoch: message.epoch, variables: variables?, chunk_elements: message.chunk_elements, servers: message.servers })
    }
}

impl From<ServerAddress> for v1::ServerAddress {
    fn from(server: ServerAddress) -> Self {
        let ServerAddress { task, incarnation, addresses, host } = server;
        Self { task: task.to_string(), incarnation: incarnation.0, addresses, host }
    }
}

impl TryFrom<v1::ServerAddress> for ServerAddress {
    type Error = Malformed;

    fn try_from(message: v1::ServerAddress) -> Result<Self, Malformed> {
        let v1::ServerAddress { task, incarnation, addresses, host } = message;
        let task = sensible(task.parse().ok(), "ServerAddress.task")?;
        Ok(Self { task, incarnation: Incarnation(incarnation), addresses, host })
    }
}
