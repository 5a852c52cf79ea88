//! Events that every registry has, being an upgradeable contract behind a proxy (ERC-1967) with an
//! owner (ERC-173).

use alloy_sol_types::sol;

use super::{Decoder, arguments};

sol! {
    event Initialized(uint64 version);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event Upgraded(address indexed implementation);
}

arguments!(Initialized(version));
arguments!(OwnershipTransferred(previousOwner, newOwner));
arguments!(Upgraded(implementation));

pub(super) const DECODERS: &[Decoder] = &[
    Decoder::of::<Initialized>(),
    Decoder::of::<OwnershipTransferred>(),
    Decoder::of::<Upgraded>(),
];
