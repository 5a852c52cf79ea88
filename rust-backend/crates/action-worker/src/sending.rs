//! One attempt of a webhook: its secret, body and signature, where it may go, and what it was
//! answered.

pub mod act;
pub mod body;
pub mod destination;
pub(crate) mod failure;
pub(crate) mod networks;
pub mod resolver;
pub mod response;
pub mod secret;
pub mod signer;
pub mod webhook;
