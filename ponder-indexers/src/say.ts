/** Writes a line of JSON, like Ponder's. */
export function say(msg: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ time: Date.now(), level: "info", msg, ...fields })}\n`);
}
