//! Carries out what the core decided.

use super::{Holder, OUTBOX_BYTES, answer_message};
use crate::outbox::Refused;
use tfcoord_exchange::Chunk;
use tfcoord_proto::v1;
use tfcoord_ps_core::{Effect, SegmentNorm};
use tfcoord_types::id::Generation;
use tfcoord_types::report::{Body, Report, ServerReport};

impl Holder {
    pub(super) fn carry_out(&mut self) {
        let mut news = false;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            tracing::trace!("{effect}");
            let Some(effect) = self.checkpoints.carry_out(effect) else { continue };
            match effect {
                Effect::Answer { to, generation, chunk, step, block, answer } => {
                    self.send(to, &answer_message(generation, chunk, step, block, answer), 0);
                }
                Effect::Updated { generation, chunk, version, values } => {
                    self.broadcast(Chunk { generation, chunk, version, payload: values })
                }
                Effect::Pulled { to, generation, chunk, version, values } => {
                    self.give(to, Chunk { generation, chunk, version, payload: values });
                }
                // Pulls are answered where they are asked, and checkpoints are dealt with already.
                Effect::Gone { .. } => {}
                Effect::BeginCut { .. } | Effect::CutChunk { .. } | Effect::DropCut { .. } | Effect::Restore { .. } => {}
                Effect::Report => news = true,
                Effect::SendNorms { generation, step, segments } => self.send_norms(generation, step, &segments),
                Effect::SendScale { to, generation, step, scale } => {
                    self.send_scale(to, v1::NormScale { generation: generation.0, step, scale })
                }
                Effect::Reached { step } => {
                    #[expect(clippy::cast_precision_loss, reason = "for a graph")]
                    metrics::gauge!("tfcoord_step").set(step as f64);
                    self.lateness.reached(step, self.begun.elapsed());
                    news = true;
                }
                Effect::CurveGrew { point } => {
                    if let Some(known) = &self.known {
                        self.board.trained(&known.plan, point);
                    }
                    news = true;
                }
                Effect::Applied { revision } => {
                    self.applied = revision;
                    news = true;
                }
                Effect::Fail { fault } => {
                    tracing::error!("{}", fault.message);
                    self.fault.get_or_insert(fault);
                    news = true;
                }
            }
        }
        // The allocation is used again.
        self.effects = effects;
        if news {
            self.report();
        }
    }

    fn report(&mut self) {
        tfcoord_fault::point!("ps.report.due");
        self.reporter.report(Report {
            incarnation: self.incarnation,
            applied: self.applied,
            generation: self.server.generation(),
            body: Body::Server(ServerReport { late: self.lateness.straggler(), ..self.server.report() }),
            fault: self.fault.clone(),
        });
        if self.fault.is_some() {
            // Once is enough.
            let _ = self.failed.try_send(());
        }
    }

    fn broadcast(&mut self, chunk: Chunk) {
        tfcoord_fault::point!("ps.chunk.updated");
        metrics::counter!("tfcoord_chunk_updates_total").increment(1);
        let bytes = chunk.payload.len();
        let message = v1::PushPullReply { reply: Some(v1::push_pull_reply::Reply::Chunk(chunk.into_message())) };
        let streams: Vec<u64> = self.streams.keys().copied().collect();
        for stream in streams {
            self.send(stream, &message, bytes);
        }
    }

    // A chunk for one worker.
    fn give(&mut self, stream: u64, chunk: Chunk) {
        metrics::counter!("tfcoord_chunk_updates_total").increment(1);
        let bytes = chunk.payload.len();
        self.send(stream, &v1::PushPullReply { reply: Some(v1::push_pull_reply::Reply::Chunk(chunk.into_message())) }, bytes);
    }

    /// Sends to a worker's stream; one that is not read is closed: its worker connects again and pulls.
    fn send(&mut self, stream: u64, message: &v1::PushPullReply, bytes: usize) {
        let Some(outbox) = self.streams.get(&stream) else { return };
        let versions = self.known.as_ref().map_or(0, |known| known.version_bytes.saturating_mul(2));
        match outbox.send(message.clone(), bytes, versions.saturating_add(OUTBOX_BYTES)) {
            Ok(()) => return,
            Err(Refused::Full) => tracing::warn!("stream {stream} is read too slowly: it is closed"),
            Err(Refused::Gone) => {}
        }
        self.streams.remove(&stream);
    }

    fn send_norms(&mut self, generation: Generation, step: u64, segments: &[SegmentNorm]) {
        // Without a link they are sent once there is one.
        let Some(link) = &self.link else { return };
        let segment = |s: &SegmentNorm| v1::SegmentNorm { slab: s.slab, segment: s.segment, squared: s.squared };
        let bytes = size_of_val(segments);
        let segments = segments.iter().map(segment).collect();
        // The link's task knows the job and this server's slot.
        let part = v1::NormsPart { job: String::new(), generation: generation.0, step, server: 0, segments };
        if link.send(part, bytes, OUTBOX_BYTES).is_err() {
            self.link = None;
        }
    }

    fn send_scale(&mut self, to: u32, scale: v1::NormScale) {
        // One who is cut off sends its norms again, and is answered then.
        if let Some((_, outbox)) = self.scales.get(&to)
            && outbox.send(scale, 0, OUTBOX_BYTES).is_err()
        {
            self.scales.remove(&to);
        }
    }
}
