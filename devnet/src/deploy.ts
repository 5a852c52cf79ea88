// Command: deploys the registries and prints where they are.
import { runCommand, urlOption } from "./usage.ts";

const HELP = `Deploys the three registries with the node's first dev account.

  tsx src/deploy.ts --rpc URL

Prints one line of JSON: chainId, identity, reputation, validation, startBlock.
Contracts are compiled first when build/ is missing or older than contracts/.

  --rpc URL   the node's HTTP address
  --help      this text

Example:
  tsx src/deploy.ts --rpc http://127.0.0.1:8545
`;

await runCommand(HELP, ["rpc"], async values => {
  const url = urlOption(values, "rpc");
  const [{ deploy }, { Node }] = [await import("./deployment.ts"), await import("./node.ts")];
  console.log(JSON.stringify(await deploy(new Node(url))));
});
