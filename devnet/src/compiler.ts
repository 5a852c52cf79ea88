// Solidity sources in, ABI and bytecode out. It reads and writes no file.
import type { Abi, Hex } from "viem";

export interface CompiledContract {
  abi: Abi;
  bytecode: Hex;
}

interface CompilerOutput {
  errors?: { severity: string; formattedMessage: string }[];
  contracts?: Record<
    string,
    Record<string, { abi: Abi; evm: { bytecode: { object: string } } }> | undefined
  >;
}

/** Compiles files by name; the contract of file `X.sol` is `X`. Warnings are errors. */
export async function compile(
  sources: Map<string, string>,
): Promise<Map<string, CompiledContract>> {
  // Loaded here because the compiler is 9 MB of code that only a stale build needs.
  const { default: solc } = await import("solc");
  const output = JSON.parse(solc.compile(JSON.stringify(standardInput(sources)))) as CompilerOutput;
  const complaints = (output.errors ?? []).filter(error => error.severity !== "info");
  if (complaints.length > 0) {
    throw new Error(complaints.map(complaint => complaint.formattedMessage).join("\n"));
  }
  const compiled = new Map<string, CompiledContract>();
  for (const file of sources.keys()) {
    const name = file.replace(/\.sol$/, "");
    const contract = output.contracts?.[file]?.[name];
    if (!contract) throw new Error(`${file} has no contract called ${name}`);
    compiled.set(name, { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` });
  }
  return compiled;
}

function standardInput(sources: Map<string, string>) {
  return {
    language: "Solidity",
    sources: Object.fromEntries([...sources].map(([file, content]) => [file, { content }])),
    settings: {
      // The events' eleven arguments do not fit the stack of the older pipeline.
      viaIR: true,
      optimizer: { enabled: true, runs: 200 },
      // Older than any node in use, so that every chain runs the same bytecode.
      evmVersion: "shanghai",
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
    },
  };
}
