mod broker;
mod delivering;
mod failing;
mod log_contract;
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod rooms;
mod single;

use probe::several_nodes::Nodes;

use self::{
    broker::{settings, start},
    people::path,
};
use crate::storage::Settings;

// The conversation of the book, in `book/transcripts`, with one node.
probe::transcripts!(single::app());

// What every chat on several nodes does (`lessons/probe/src/several_nodes`).
probe::several_nodes_conformance!(NODES);

const NODES: Nodes = Nodes {
    start: |url, lease| {
        let settings = settings(url.parse().expect("a good URL"));
        start(Settings { lease, ..settings })
    },
    path,
};
