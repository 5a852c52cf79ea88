//! The gate's protocol in small: every interleaving of writers and sleepers, step by step. The
//! argument in words is docs/decisions/0008; the protocol itself is SQL, in the migration
//! `create_notification_gate`, and the `pause` of the processor's loop.

use std::collections::HashSet;

const WRITERS: usize = 2;
const SLEEPERS: usize = 2;

#[test]
fn in_no_interleaving_is_a_wake_up_lost() {
    let reached = interleavings(Protocol::default()).expect("nobody sleeps over a commit");
    assert!(reached > 10_000, "{reached} states are too few to mean anything");
}

#[test]
fn each_step_left_out_or_out_of_order_loses_a_wake_up() {
    let broken = [
        ("the writer looks before it is in flight", Protocol { looks_first: true, ..RIGHT }),
        ("the writer lands before its rows show", Protocol { lands_first: true, ..RIGHT }),
        ("the sleeper does not look again", Protocol { sleeps_without_a_look: true, ..RIGHT }),
        ("the sleeper asks for no writers", Protocol { asks_for_no_writers: true, ..RIGHT }),
        ("the sleeper asks before it is known", Protocol { asks_first: true, ..RIGHT }),
        ("one gate for one, and the others sleep too", Protocol { one_sleeper: true, ..RIGHT }),
        ("a bell before the sleep is forgotten", Protocol { forgets_bells: true, ..RIGHT }),
    ];
    for (how, protocol) in broken {
        let lost = interleavings(protocol).expect_err(how);
        assert!(lost.contains(&Asleep), "{how}");
    }
}

/// What may be wrong with it; by default nothing is.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one mutant")]
struct Protocol {
    looks_first: bool,
    lands_first: bool,
    sleeps_without_a_look: bool,
    asks_for_no_writers: bool,
    asks_first: bool,
    one_sleeper: bool,
    forgets_bells: bool,
}

const RIGHT: Protocol = Protocol {
    looks_first: false,
    lands_first: false,
    sleeps_without_a_look: false,
    asks_for_no_writers: false,
    asks_first: false,
    one_sleeper: false,
    forgets_bells: false,
};

use Sleeper::{Asks, Asleep, Drowsy, Looks, LooksAgain, Nods};
use Writer::{Begins, Ended, InFlight, Lands, Looked, Rings};

/// What a writer does next. `rings`: it saw a sleeper.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Writer {
    Begins,
    InFlight,
    Looked { rings: bool },
    Lands { rings: bool },
    Rings { rings: bool },
    Ended,
}

/// What a sleeper does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Sleeper {
    Looks,
    Drowsy,
    Asks,
    LooksAgain,
    Nods,
    Asleep,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    writers: [Writer; WRITERS],
    sleepers: [Sleeper; SLEEPERS],
    /// The shared lock of each writer.
    in_flight: [bool; WRITERS],
    /// The shared lock of each sleeper.
    gate: [bool; SLEEPERS],
    /// What each writer wrote, once everybody sees it.
    visible: [bool; WRITERS],
    /// What each sleeper saw in its last look.
    seen: [[bool; WRITERS]; SLEEPERS],
    /// A bell that a sleeper has not answered yet.
    bell: [bool; SLEEPERS],
}

/// Walks all of them. How many states there are, or the sleepers of one in which nothing can happen
/// any more and somebody has not seen what was written.
fn interleavings(protocol: Protocol) -> Result<usize, [Sleeper; SLEEPERS]> {
    let start = World {
        writers: [Begins; WRITERS],
        sleepers: [Looks; SLEEPERS],
        in_flight: [false; WRITERS],
        gate: [false; SLEEPERS],
        visible: [false; WRITERS],
        seen: [[false; WRITERS]; SLEEPERS],
        bell: [false; SLEEPERS],
    };
    let mut known = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        let next: Vec<World> = (0..WRITERS)
            .filter_map(|writer| write(&world, writer, protocol))
            .chain((0..SLEEPERS).filter_map(|sleeper| doze(&world, sleeper, protocol)))
            .collect();
        if next.is_empty() && world.seen.iter().any(|seen| *seen != world.visible) {
            return Err(world.sleepers);
        }
        open.extend(next.into_iter().filter(|next| known.insert(next.clone())));
    }
    Ok(known.len())
}

/// A writer's next step, if it has one.
fn write(before: &World, n: usize, protocol: Protocol) -> Option<World> {
    let mut world = before.clone();
    let somebody_sleeps = world.gate.contains(&true);
    world.writers[n] = match world.writers[n] {
        Begins if protocol.looks_first => Looked { rings: somebody_sleeps },
        Begins => {
            world.in_flight[n] = true;
            InFlight
        }
        InFlight => Looked { rings: somebody_sleeps },
        Looked { rings } if protocol.looks_first && !world.in_flight[n] => {
            world.in_flight[n] = true;
            Looked { rings }
        }
        Looked { rings } => {
            if protocol.lands_first {
                world.in_flight[n] = false;
            } else {
                world.visible[n] = true;
            }
            Lands { rings }
        }
        Lands { rings } => {
            (world.in_flight[n], world.visible[n]) = (false, true);
            Rings { rings }
        }
        Rings { rings } => {
            world.bell = world.bell.map(|bell| bell || rings);
            Ended
        }
        Ended => return None,
    };
    Some(world)
}

/// A sleeper's next step; none while it sleeps and no bell rings.
fn doze(before: &World, n: usize, protocol: Protocol) -> Option<World> {
    let mut world = before.clone();
    let nobody_writes = !world.in_flight.contains(&true);
    world.sleepers[n] =
        match world.sleepers[n] {
            Looks => {
                world.seen[n] = world.visible;
                Drowsy
            }
            Drowsy if protocol.asks_first => {
                if nobody_writes {
                    Asks
                } else {
                    Looks
                }
            }
            Drowsy => {
                world.gate[n] = !protocol.one_sleeper || !world.gate.contains(&true);
                Asks
            }
            Asks if protocol.asks_first => {
                world.gate[n] = true;
                LooksAgain
            }
            Asks if protocol.asks_for_no_writers || nobody_writes => {
                if protocol.sleeps_without_a_look { Nods } else { LooksAgain }
            }
            Asks => {
                world.gate[n] = false;
                Looks
            }
            LooksAgain => {
                let news = world.seen[n] != world.visible;
                world.seen[n] = world.visible;
                world.gate[n] &= !news;
                if news { Looks } else { Nods }
            }
            Nods => {
                world.bell[n] &= !protocol.forgets_bells;
                Asleep
            }
            Asleep if world.bell[n] => {
                (world.bell[n], world.gate[n]) = (false, false);
                Looks
            }
            Asleep => return None,
        };
    Some(world)
}
