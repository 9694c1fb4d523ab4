/** `npm run key -- <name> <scope>…`: make an API key, show it once, print the entry for the secret API_KEYS. */
import { createHash, randomBytes } from "node:crypto";

const [name = "", ...scopes] = process.argv.slice(2);
const usage = `usage: npm run key -- <name> <scope>…
  name    1 to 64 of A-Z a-z 0-9 _ . -
  scope   * for everything, a system such as carts (read and write), carts:read, profiles:verify`;

if (!/^[\w.-]{1,64}$/.test(name) || scopes.length === 0 || !scopes.every((scope) => /^(\*|[a-z][a-z-]*(:[a-z]+)?)$/.test(scope))) {
  console.error(usage);
  process.exit(2);
}
const key = `hop_${randomBytes(32).toString("base64url")}`;
const entry = { name, sha256: createHash("sha256").update(key).digest("hex"), scopes };
console.log(`API key, shown only now: ${key}

Entry for the secret API_KEYS, a JSON array of such entries (npx wrangler secret put API_KEYS):
${JSON.stringify(entry)}`);
