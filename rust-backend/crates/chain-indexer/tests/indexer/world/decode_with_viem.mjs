// Reads logs from stdin and prints what viem makes of each, in the form of `events.data`.
import { readFileSync } from "node:fs";
import { decodeAbiParameters, toEventSelector } from "viem";

const CONTRACTS = {
  identity: "IdentityRegistry",
  reputation: "ReputationRegistry",
  validation: "ValidationRegistry",
};
const events = Object.fromEntries(
  Object.entries(CONTRACTS).map(([registry, contract]) => {
    const { abi } = JSON.parse(readFileSync(`build/${contract}.json`, "utf8"));
    const ofContract = abi.filter(item => item.type === "event");
    return [registry, new Map(ofContract.map(event => [toEventSelector(event), event]))];
  }),
);
// Not viem's own reading of strings: it drops a byte order mark.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function argument(type, value) {
  if (type === "string") {
    const text = utf8.decode(Buffer.from(value.slice(2), "hex"));
    return text.replaceAll("\0", "\ufffd");
  }
  if (type === "address") return value.toLowerCase();
  const bits = /^u?int(\d+)$/.exec(type)?.[1];
  return Number(bits) > 32 ? String(value) : value;
}

function decode({ registry, topics, data }) {
  const event = events[registry].get(topics[0]);
  if (!event) return null;
  // A string in the data is taken as its bytes; an indexed one is its hash.
  const inData = event.inputs.filter(input => !input.indexed);
  const asBytes = inData.map(({ type }) => ({ type: type === "string" ? "bytes" : type }));
  const values = asBytes.length > 0 ? [...decodeAbiParameters(asBytes, data)] : [];
  const hashes = topics.slice(1);
  return {
    name: event.name,
    args: Object.fromEntries(
      event.inputs.map(({ name, type, indexed }) => {
        if (!indexed) return [name, argument(type, values.shift())];
        const topic = hashes.shift();
        if (type === "string") return [name, topic];
        return [name, argument(type, decodeAbiParameters([{ type }], topic)[0])];
      }),
    ),
  };
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(decode)));
