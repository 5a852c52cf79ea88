// `${NAME}` in a value of the file: the value of an environment variable, so that a key need not
// stand in the file. As in rust-backend/crates/service/src/config/chain/placeholders.rs.
import type { Environment } from "../config.ts";
import type { Reader } from "./reader.ts";

/** As it is written into the text at this place of it. */
type Put = (value: string, at: number) => string;

/** The text of a key with values of the environment in it. No refusal quotes a value. */
export function filled(
  table: Reader,
  key: string,
  environment: Environment,
  put: Put = value => value,
): string {
  const text = table.text(key);
  return text.replace(/\$\{([^}]*)(\}?)/g, (_, name: string, end: string, at: number) => {
    if (end === "" || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      const wanted = "that is not followed by a name (letters, digits and _) and }";
      return table.refuse(key, `has a \${ ${wanted}`);
    }
    const value = environment[name]?.trim();
    if (!value) return table.refuse(key, `\${${name}} is not set in the environment`);
    if (/\p{Cc}/u.test(value)) {
      return table.refuse(key, `\${${name}} has a control character in its value`);
    }
    return put(value, at);
  });
}
