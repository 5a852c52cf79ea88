//! Comparison of the words of ABI-encoded data.

use alloy_sol_types::abi::token::{PackedSeqToken, WordToken};

/// The parts of an encoded sequence, of which those of one word can be compared.
pub(super) trait Words {
    /// True if all parts of one word are equal. Strings and bytes are not looked at.
    fn same_words(&self, other: &Self) -> bool;
}

impl Words for WordToken {
    fn same_words(&self, other: &Self) -> bool {
        self == other
    }
}

impl Words for PackedSeqToken<'_> {
    fn same_words(&self, _other: &Self) -> bool {
        true
    }
}

macro_rules! words_of_tuples {
    ($($($part:ident.$place:tt)*;)+) => {$(
        impl<$($part: Words),*> Words for ($($part,)*) {
            fn same_words(&self, _other: &Self) -> bool {
                true $(&& self.$place.same_words(&_other.$place))*
            }
        }
    )+};
}

// As many as the longest event has arguments in its data.
words_of_tuples! {
    ;
    A.0;
    A.0 B.1;
    A.0 B.1 C.2;
    A.0 B.1 C.2 D.3;
    A.0 B.1 C.2 D.3 E.4;
    A.0 B.1 C.2 D.3 E.4 F.5;
    A.0 B.1 C.2 D.3 E.4 F.5 G.6;
    A.0 B.1 C.2 D.3 E.4 F.5 G.6 H.7;
}
