/**
 * A strict JSON parser (RFC 8259, and I-JSON, RFC 7493, where that leaves a choice). It refuses a text when JSON.parse
 * would silently change or drop a part of it.
 */
export type ParsedJson = { ok: true; value: unknown } | { ok: false; code: "malformed_json" | "invalid"; detail: string };

// The tokens of JSON text. A string is one token, so that brackets inside it do not count. A string without an end is
// one token too, the second alternative: otherwise the search would start again at each of its quotes.
const tokens = /"(?:[^"\\]|\\.)*"|"[\s\S]*|[{}[\],:]|[^\s{}[\],:"]+/g;
const reservedNames = new Set(["__proto__", "constructor", "prototype"]);
const loneSurrogate = /\p{Surrogate}/u;

/** Decode and parse a body. The depth is checked before a recursive function, such as JSON.parse, gets the text. */
export function parseJson(bytes: Uint8Array, maxDepth = 8): ParsedJson {
  const text = decodeUtf8(bytes);
  if (text === null) return malformed("The body is not valid UTF-8, or it starts with a byte order mark.");
  if (depthOf(text) > maxDepth) return { ok: false, code: "invalid", detail: `The body is nested deeper than ${maxDepth} levels.` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed("The body is not JSON.");
  }
  return inspect(text) ?? { ok: true, value };
}

const malformed = (detail: string) => ({ ok: false, code: "malformed_json", detail }) as const;
const invalid = (detail: string) => ({ ok: false, code: "invalid", detail }) as const;

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith("\ufeff") ? null : text;
  } catch {
    return null;
  }
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(tokens)) {
    if (token === "{" || token === "[") deepest = Math.max(deepest, ++depth);
    else if (token === "}" || token === "]") depth--;
  }
  return deepest;
}

/** Search a text that JSON.parse accepted for parts that it does not keep. */
function inspect(text: string): ParsedJson | undefined {
  const objects: (Set<string> | null)[] = []; // the names in each open object; null for an open array
  let previous = "";
  for (const [token] of text.matchAll(tokens)) {
    if (token === "{") objects.push(new Set());
    else if (token === "[") objects.push(null);
    else if (token === "}" || token === "]") objects.pop();
    else if (token.startsWith('"')) {
      const string = JSON.parse(token) as string;
      if (loneSurrogate.test(string)) return malformed("A string contains half of a surrogate pair.");
      const names = objects.at(-1);
      if (names && previous !== ":") {
        if (names.has(string)) return malformed("An object has the same name twice.");
        if (reservedNames.has(string)) return invalid("__proto__, constructor and prototype cannot be names.");
        names.add(string);
      }
    } else if (isLossyNumber(token)) {
      return invalid("A number cannot be kept exactly: write whole numbers in plain digits up to 2^53 - 1, others in at most 17 digits.");
    }
    previous = token;
  }
  return undefined;
}

/** True for a number token that a JavaScript number would change, and for a whole number up to 2^53 - 1 with an exponent (1e3). */
function isLossyNumber(token: string): boolean {
  if (!/^[-\d]/.test(token)) return false;
  const number = Number(token);
  if (!Number.isFinite(number)) return true;
  if (/e/i.test(token)) return Number.isSafeInteger(number);
  // A whole number beyond 2^53 is kept when a double holds it exactly, or when JavaScript writes its double with the same digits.
  if (Number.isInteger(number)) return !Number.isSafeInteger(number) && String(number) !== token && BigInt(token.split(".")[0]!) !== BigInt(number);
  return token.replace(/^-?0*\.?0*|\./g, "").length > 17;
}
