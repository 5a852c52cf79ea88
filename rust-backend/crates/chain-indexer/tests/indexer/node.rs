//! Nodes that fail, lie, lag or limit, and their websockets.

mod faults;
mod lies;
mod nodes;
mod seeded;
mod websockets;
