/** `npm run key -- <name> <scope>…`: make an API key, show it once, print the entry for the secret API_KEYS. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const systems = readdirSync(join(import.meta.dirname, "../systems"), { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const known = new Set(["*", "profiles:verify", ...systems, ...systems.map((system) => `${system}:read`)]);

const [name = "", ...scopes] = process.argv.slice(2);
const usage = `usage: npm run key -- <name> <scope>…
  name    1 to 64 of A-Z a-z 0-9 _ . -
  scope   * for everything, a system such as carts (read and write), carts:read, profiles:verify
  systems ${systems.join(" ")}`;

if (!/^[\w.-]{1,64}$/.test(name) || scopes.length === 0 || !scopes.every((scope) => known.has(scope))) {
  console.error(usage);
  process.exit(2);
}
const key = `hop_${randomBytes(32).toString("base64url")}`;
const entry = { name, sha256: createHash("sha256").update(key).digest("hex"), scopes };
console.log(`API key, shown only now: ${key}

Entry for the secret API_KEYS, a JSON array of such entries (npx wrangler secret put API_KEYS):
${JSON.stringify(entry)}`);
