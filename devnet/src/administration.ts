// Calls that every registry answers to its owner alone.
import type { Address } from "viem";
import type { Call } from "./call.ts";
import type { RegistryName, World } from "./world.ts";

export function initializeAgain(world: World, name: RegistryName): Call {
  return world.registries[name].call(world.administrators[name], "initializeAgain", []);
}

/** To the other administrator and, the next time, back. */
export function transferOwnership(world: World, name: RegistryName): Call {
  const from = world.administrators[name];
  const [first, second] = world.cast.administrators;
  const to = from === first ? second : first;
  world.administrators[name] = to;
  return world.registries[name].call(from, "transferOwnership", [to]);
}

export function upgrade(world: World, name: RegistryName): Call {
  const implementation: Address = world.random.bytes(20);
  const owner = world.administrators[name];
  return world.registries[name].call(owner, "upgradeTo", [implementation]);
}
