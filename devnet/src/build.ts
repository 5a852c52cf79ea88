// Command: compiles the contracts into build/.
import { build } from "./artifact.ts";

for (const path of await build()) console.log(path);
