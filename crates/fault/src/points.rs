//! The table of all fault points. `docs/fault-points.md` shows it.

use crate::{Kind, Point};

const fn plain(name: &'static str, at: &'static str) -> Point {
    Point { name, at, kind: Kind::Plain }
}

const fn io(name: &'static str, at: &'static str) -> Point {
    Point { name, at, kind: Kind::Io }
}

/// Every fault point of the program, by area and in the order in which they are reached.
pub const POINTS: &[Point] = &[
    io("checkpoint.part.create", "a server is about to make the file of its part"),
    plain("checkpoint.part.created", "the part has its file and its header, and no tensors"),
    io("checkpoint.part.write", "a piece of the part is about to be written"),
    plain("checkpoint.part.written", "a run of the part's pieces is written"),
    plain("checkpoint.part.before_sync", "all of the part is written"),
    io("checkpoint.part.sync", "the part is about to be synced"),
    plain("checkpoint.part.synced", "the part is durable, and nobody has been told"),
    io("checkpoint.manifest.write", "all parts are there, and the manifest is about to be written under a temporary name"),
    plain("checkpoint.manifest.written", "the manifest is written and not synced"),
    io("checkpoint.manifest.sync", "the manifest is about to be synced"),
    plain("checkpoint.manifest.synced", "the manifest is durable under its temporary name"),
    io("checkpoint.manifest.rename", "the manifest is about to take its name"),
    plain("checkpoint.manifest.renamed", "the manifest has its name, which is not durable yet"),
    plain("checkpoint.manifest.dir_synced", "the checkpoint is committed, and nobody has been told"),
    plain("checkpoint.remove.manifest", "a checkpoint's manifest is gone, and its parts are still there"),
    plain("checkpoint.remove.parts", "a checkpoint's parts are gone"),
    io("fs.file.create", "a file that appears whole is about to be made under a temporary name"),
    plain("fs.file.created", "it has its temporary name, and nothing in it"),
    io("fs.file.write", "bytes are about to be written to it"),
    io("fs.file.sync", "what was written is about to be synced"),
    plain("fs.file.synced", "it is durable under its temporary name"),
    io("fs.file.rename", "it is about to take its final name"),
    plain("fs.file.renamed", "it has its final name, which is not durable yet"),
    plain("fs.file.durable", "its final name is durable, and nobody has been told"),
    plain("fs.directory.synced", "a directory that appears whole is durable under its temporary name"),
    plain("fs.directory.renamed", "the directory has its final name, which is not durable yet"),
    io("log.append.write", "entries are about to be written to the coordinator's log"),
    plain("log.append.written", "the entries are written and not synced"),
    io("log.append.sync", "the written entries are about to be synced"),
    plain("log.append.synced", "the entries are durable, and nobody has been told"),
    io("log.segment.create", "a segment of the log is about to be made"),
    plain("log.segment.created", "the segment's file is there, without its header"),
    plain("log.segment.rolled", "the log goes on in a new segment that has no entry yet"),
    plain("log.segment.removed", "a segment that a snapshot stands for is gone, and the directory is not synced"),
    plain("log.snapshot.made", "a snapshot is about to be written"),
    plain("log.snapshot.written", "the snapshot is durable, and older ones are still there"),
];
