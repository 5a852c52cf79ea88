// The compiled contracts in build/: made when missing or older than what they are made from.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { type CompiledContract, compile } from "./compiler.ts";

export const CONTRACT_NAMES = [
  "IdentityRegistry",
  "ReputationRegistry",
  "ValidationRegistry",
] as const;
export type ContractName = (typeof CONTRACT_NAMES)[number];

const SOURCES = new URL("../contracts/", import.meta.url);
const BUILD = new URL("../build/", import.meta.url);
const COMPILER = new URL("./compiler.ts", import.meta.url);

/** The artifact of one contract, compiled first if need be. */
export async function loadArtifact(name: ContractName): Promise<CompiledContract> {
  if (isStale()) await build();
  return JSON.parse(readFileSync(artifactUrl(name), "utf8")) as CompiledContract;
}

/** Compiles every contract and returns the paths of the written artifacts. */
export async function build(): Promise<string[]> {
  const compiled = await compile(
    new Map(sourceFiles().map(file => [file, readFileSync(new URL(file, SOURCES), "utf8")])),
  );
  mkdirSync(BUILD, { recursive: true });
  return CONTRACT_NAMES.map(name => {
    writeWhole(artifactUrl(name), JSON.stringify(compiled.get(name), null, 2));
    return fileURLToPath(artifactUrl(name));
  });
}

function isStale(): boolean {
  const inputs = [COMPILER, ...sourceFiles().map(file => new URL(file, SOURCES))];
  const newestInput = Math.max(...inputs.map(url => statSync(url).mtimeMs));
  return CONTRACT_NAMES.some(name => {
    const artifact = statSync(artifactUrl(name), { throwIfNoEntry: false });
    return artifact === undefined || artifact.mtimeMs < newestInput;
  });
}

/** By way of a temporary name, so that a second process never reads half an artifact. */
function writeWhole(target: URL, text: string): void {
  const unfinished = new URL(`${target.href}.${process.pid}`);
  try {
    writeFileSync(unfinished, `${text}\n`);
    renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function sourceFiles(): string[] {
  return readdirSync(SOURCES).filter(file => file.endsWith(".sol"));
}

function artifactUrl(name: ContractName): URL {
  return new URL(`${name}.json`, BUILD);
}
