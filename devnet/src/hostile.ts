// Texts that break careless readers: each is legal on chain, and anybody can write it.
import type { Text } from "./call.ts";

export const HOSTILE_TEXTS: readonly Text[] = [
  "",
  "\u0000",
  "before\u0000after",
  "\u0001\u0007\b\t\r\n\u001b[31mred\u001b[0m\u007f\u0085",
  "it's \"quoted\" `twice` ''''",
  "'); DELETE FROM events; --",
  '"}],"injected":{"a":[',
  "\\ \\\\ \\u0000 \\x00 \\N C:\\new\\table",
  "🤖 👩🏽‍🚀 👨‍👩‍👧‍👦 🏴‍☠️ 𝕌𝕟𝕚𝕔𝕠𝕕𝕖",
  "safe\u202Egnp.exe\u202C \u2066\u05e9\u05dc\u05d5\u05dd\u2069 \u200f\u0645\u0631\u062d\u0628",
  "\ufeffzero\u200bwidth\u2028line\u2029paragraph\uffff",
  "Z\u0351\u0343\u034fa\u0327\u0301\u0302l\u0334\u0315g\u0321\u035eo\u0489",
  '<script>alert("agent")</script><img src=x onerror=alert(1)><!--',
  "&lt;b&gt; ]]> <![CDATA[ [link](javascript:alert(1)) *_~`",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: not to be filled in is its point
  "{{secret}} ${HOME} $(reboot) %s%n %00 ../../etc/passwd",
  "null",
  "1e309",
  Uint8Array.of(0xff, 0xfe, 0xfd),
  Uint8Array.of(0xc3, 0x28, 0x61),
  Uint8Array.of(0x6f, 0x6b, 0xf0, 0x9f, 0x98),
  Uint8Array.of(0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf),
  Uint8Array.of(0xc0, 0x80, 0xe0, 0x80, 0xaf),
];

/** A tag longer than any sensible column or index entry. */
export const LONG_TAG = "long-".repeat(20_000);

/** A whole agent card of 50 kB inside its own URI. */
export const DATA_URI = dataUri(50_000);

function dataUri(lengthMin: number): string {
  const prefix = "data:application/json;base64,";
  const skills: string[] = [];
  let uri = prefix;
  while (uri.length < lengthMin) {
    for (let added = 0; added < 50; added++) skills.push(`skill number ${skills.length}`);
    const card = JSON.stringify({ name: "An agent of many skills", skills });
    uri = prefix + Buffer.from(card).toString("base64");
  }
  return uri;
}
