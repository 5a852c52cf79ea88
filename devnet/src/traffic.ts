// Command: sends seeded traffic to the registries and prints how much it was.
import type { Order } from "./drive.ts";
import { addressOption, countOption, type OptionValues, runCommand, urlOption } from "./usage.ts";

const EVENTS_DEFAULT = 400;
const HELP = `Sends seeded traffic to the three registries: the same seed, the same calls.

  tsx src/traffic.ts --rpc URL --identity 0x… --reputation 0x… --validation 0x… --seed N
                     [--events N] [--rate EVENTS_PER_SECOND] [--batch TXS_PER_BLOCK]

Prints one line of JSON when all of it is mined: transactions, logs, byRegistry, firstBlock,
lastBlock. SIGINT and SIGTERM stop it early, and it still prints what was sent. Progress is on
stderr. It fails if a transaction reverts.

  --rpc URL                the node's HTTP address
  --identity, --reputation, --validation ADDRESS   as printed by src/deploy.ts
  --seed N                 any whole number
  --events N               logs to emit at least (default ${EVENTS_DEFAULT}); the first 40 have
                           every kind of event, the first 310 every extreme
  --rate EVENTS_PER_SECOND spreads the logs evenly over time
  --batch TXS_PER_BLOCK    mines blocks of so many transactions, as far as the gas limit allows
  --help                   this text

Examples:
  tsx src/traffic.ts --rpc http://127.0.0.1:8545 --identity 0x5fbd… --reputation 0xe7f1… \\
    --validation 0x9fe4… --seed 1
  … --seed 7 --events 6000 --rate 100      one minute of a hundred logs a second
  … --seed 7 --events 20000 --batch 100    as fast as it goes, a hundred transactions a block
`;
const OPTIONS = [
  "rpc",
  "identity",
  "reputation",
  "validation",
  "seed",
  "events",
  "rate",
  "batch",
] as const;

await runCommand(HELP, OPTIONS, async values => {
  const url = urlOption(values, "rpc");
  const order = readOrder(values);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  // Loaded late: a signal that comes while the rest is loading already finds its handler.
  const [{ drive }, { Node }] = [await import("./drive.ts"), await import("./node.ts")];
  console.log(JSON.stringify(await drive(new Node(url), order, stop.signal)));
});

function readOrder(values: OptionValues): Order {
  const optionalCount = (name: string, most: number) =>
    values[name] === undefined ? undefined : countOption(values, name, 1, most);
  return {
    identity: addressOption(values, "identity"),
    reputation: addressOption(values, "reputation"),
    validation: addressOption(values, "validation"),
    seed: countOption(values, "seed", 0, Number.MAX_SAFE_INTEGER),
    events: optionalCount("events", 10_000_000) ?? EVENTS_DEFAULT,
    rate: optionalCount("rate", 100_000),
    batch: optionalCount("batch", 1_000),
  };
}
