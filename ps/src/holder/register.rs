//! What a server tells about itself.

use super::Holder;
use tfcoord_proto::v1;
use tfcoord_types::id::Generation;
use tonic::Status;

impl Holder {
    /// Compares a worker's idea of the parameters with this server's.
    ///
    /// # Errors
    /// `FailedPrecondition` where one of them must wait for a newer view, `InvalidArgument` for other variables.
    pub(super) fn register(&self, request: &v1::RegisterVariablesRequest) -> Result<v1::RegisterVariablesReply, Status> {
        self.current(Generation(request.generation))?;
        let known = self.known.as_ref().expect("a current generation is known");
        if request.placement_epoch != known.epoch {
            let text = format!("placement epoch {} is not the one here: {}", request.placement_epoch, known.epoch);
            return Err(Status::failed_precondition(text));
        }
        if request.variables_digest[..] != known.digest {
            return Err(Status::invalid_argument("the variables differ: worker and server were not made for the same model"));
        }
        Ok(v1::RegisterVariablesReply { incarnation: self.incarnation.0, cursors: self.cursors() })
    }

    pub(super) fn status(&self) -> v1::StatusReply {
        v1::StatusReply {
            incarnation: self.incarnation.0,
            generation: self.server.generation().0,
            view_revision: self.server.revision().0,
            cursors: self.cursors(),
            held_blocks: self.server.held_blocks() as u64,
        }
    }

    fn cursors(&self) -> Vec<v1::ChunkCursor> {
        self.server.cursors().into_iter().map(|(chunk, next_step)| v1::ChunkCursor { chunk, next_step }).collect()
    }
}
