//! A checkpoint through its whole life: written by several servers, committed, read by others, damaged, removed, and cut
//! short at every fault point.
#![allow(clippy::unwrap_used)]

mod commit;
mod damage;
mod faults;
mod fixture;
mod here;
mod part;
mod removal;
mod restore;
