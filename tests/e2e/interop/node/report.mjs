// What the driver reads: one JSON object a line. Packages are found from the folder that this is run
// in, not beside these files.
import { createRequire } from "node:module";
import { join } from "node:path";

export const load = createRequire(join(process.cwd(), "x"));

export function report(object) {
  process.stdout.write(JSON.stringify(object) + "\n");
}

// The pauses that a library makes before it comes back. Node's own timers are not among them.
export function reportTimers() {
  const setTimer = globalThis.setTimeout;
  globalThis.setTimeout = (call, delay, ...rest) => {
    if (new Error().stack.includes("node_modules")) report({ pause: delay });
    return setTimer(call, delay, ...rest);
  };
}
