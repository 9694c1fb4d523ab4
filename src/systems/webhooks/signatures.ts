/**
 * Is a message from the sender it claims to be from? Three ways to sign, each an HMAC-SHA-256 over the bytes as they
 * came; a secret that is being replaced counts beside its successor.
 *
 *   standard   webhook-id, webhook-timestamp, webhook-signature: `v1,<base64>` …, separated by spaces, over id.time.body
 *              (https://www.standardwebhooks.com); a secret is `whsec_` and base64
 *   stripe     Stripe-Signature: t=<time>,v1=<hex>, … over time.body
 *   github     X-Hub-Signature-256: sha256=<hex> over the body; its other headers are not signed
 *
 * A signature is compared as text, so that no second spelling of it passes.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import * as v from "valibot";

/** No shorter secret is taken, in bytes. */
const minBytes = 16;
const configuration = v.pipe(
  v.string(),
  v.parseJson(),
  v.record(
    v.pipe(v.string(), v.regex(/^[\w.@-]{1,128}$/)),
    v.pipe(
      v.strictObject({ scheme: v.picklist(["standard", "stripe", "github"]), secrets: v.pipe(v.array(v.string()), v.nonEmpty()) }),
      v.check(({ scheme, secrets }) => secrets.every((secret) => keyOf(scheme, secret).length >= minBytes)),
    ),
  ),
  v.check((sources) => Object.keys(sources).length > 0),
);

export type Scheme = "standard" | "stripe" | "github";
export type Source = { scheme: Scheme; keys: Buffer[] };
export type Sources = ReadonlyMap<string, Source>;

/** Bound to the secret's text, so that a new deployment reads its own. */
let parsed: { text: string; sources: Sources | null } | undefined;

/** Read `WEBHOOK_SECRETS`; null when it is missing or malformed, in whatever part. */
export function readSources(text: string | undefined): Sources | null {
  if (!text) return null;
  if (parsed?.text !== text) parsed = { text, sources: parse(text) };
  return parsed.sources;
}

function parse(text: string): Sources | null {
  const result = v.safeParse(configuration, text);
  if (!result.success) return null;
  return new Map(
    Object.entries(result.output).map(([name, { scheme, secrets }]) => [name, { scheme, keys: secrets.map((one) => keyOf(scheme, one)) }]),
  );
}

/** The key that a secret stands for; an empty key for a malformed secret. */
const keyOf = (scheme: Scheme, secret: string) =>
  scheme === "standard" ? Buffer.from(/^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1] ?? "", "base64") : Buffer.from(secret);

/** What a message to an unknown source is measured by, so that it takes as long as to a known one; it passes never. */
const nobody: Source = { scheme: "standard", keys: [Buffer.alloc(32)] };
/** How old a message may be, and how far ahead its sender's clock, in seconds. */
export const toleranceSeconds = 300;

type Header = (name: string) => string | undefined;

/** True when one of the source's secrets signed the message, not long ago where the scheme says when. */
export function isSigned(source = nobody, header: Header, body: Uint8Array): boolean {
  const claim = claims[source.scheme](header);
  if (!claim) return false;
  const { time, prefix, encoding, signatures } = claim;
  if (time !== undefined && !(/^\d{10}$/.test(time) && Math.abs(Date.now() / 1000 - Number(time)) <= toleranceSeconds)) return false;
  let found = false;
  for (const key of source.keys) {
    const expected = Buffer.from(createHmac("sha256", key).update(prefix).update(body).digest(encoding));
    for (const signature of signatures) {
      const given = Buffer.from(signature);
      if (given.length === expected.length && timingSafeEqual(given, expected)) found = true;
    }
  }
  return found && source !== nobody;
}

/** What stands in front of the body, and the signatures that are claimed for both. */
type Claim = { time?: string; prefix: string; encoding: "base64" | "hex"; signatures: string[] };

const claims: Record<Scheme, (header: Header) => Claim | undefined> = {
  standard(header) {
    const [id = "", time = ""] = [header("webhook-id"), header("webhook-timestamp")];
    if (!isId(id)) return undefined;
    return { time, prefix: `${id}.${time}.`, encoding: "base64", signatures: after("v1,", header("webhook-signature"), " ") };
  },
  stripe(header) {
    const given = header("stripe-signature");
    const [time = "", ...others] = after("t=", given, ",");
    if (others.length) return undefined;
    return { time, prefix: `${time}.`, encoding: "hex", signatures: after("v1=", given, ",") };
  },
  github: (header) => ({ prefix: "", encoding: "hex", signatures: after("sha256=", header("x-hub-signature-256"), " ") }),
};

/** What follows a prefix, in each item of a list that has it. Nobody signs with more than a few secrets. */
const after = (prefix: string, list = "", separator: string) =>
  list
    .split(separator, 20)
    .filter((item) => item.startsWith(prefix))
    .map((item) => item.slice(prefix.length));

/** Visible ASCII without dots: in `id.time.body` a dot in the id could be the one that ends it. */
export const isId = (text: unknown): text is string => typeof text === "string" && /^[!-\-/-~]{1,255}$/.test(text);
