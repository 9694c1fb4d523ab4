/**
 * What each event does: yours to edit. `events` has the events that we know, in our own form
 * `{"type":"product.restocked","timestamp":"2026-11-22T15:00:00Z","data":{…}}`, which `standard` sources send.
 * `translations` makes events of other schemes into such; what it leaves out is ignored.
 */
import * as v from "valibot";
import { id } from "../../http/schema.ts";
import type { Json } from "../../redis/codec.ts";
import type { Operation } from "../../redis/operation.ts";
import type { Redis } from "../../redis/wire.ts";
import * as cache from "../cache/cache.ts";
import { dropped } from "../cache/schemas.ts";
import * as carts from "../carts/carts.ts";
import { cartRef } from "../carts/schemas.ts";
import * as config from "../config/config.ts";
import { settings } from "../config/schemas.ts";
import * as holds from "../products/holds.ts";
import * as products from "../products/products.ts";
import { patch as productPatch, units } from "../products/schemas.ts";
import * as stock from "../products/stock.ts";
import * as profiles from "../profiles/profiles.ts";
import { patch as profilePatch } from "../profiles/schemas.ts";
import * as sessions from "../sessions/sessions.ts";

type Outcome = { outcome: string };

export type Kind = {
  data: v.GenericSchema;
  apply(redis: Redis, data: never, op: Operation, source: string): Promise<Outcome>;
  /** For an event that says how an object is now: which object. An older one of its type never overwrites a newer one. */
  object?(data: never): string;
};

const kind = <const S extends v.GenericSchema>(
  data: S,
  apply: (redis: Redis, data: v.InferOutput<S>, op: Operation, source: string) => Promise<Outcome>,
  object?: (data: v.InferOutput<S>) => string,
): Kind => ({ data, apply, ...(object && { object }) });

/**
 * What happened to the object with this id, which may be called `id` too. Its details stand beside the id, or in
 * `changes`: `{"product_id":"7","price":"9.90"}` is `{"product_id":"7","changes":{"price":"9.90"}}`.
 */
const about = <const S extends v.GenericSchema>(name: string, changes: S) =>
  v.pipe(
    v.record(v.string(), v.unknown()),
    v.transform(({ id, [name]: named = id, changes, ...beside }) => {
      const isBoth = changes !== undefined && Object.keys(beside).length > 0;
      return { id: named, changes: isBoth ? null : (changes ?? beside) };
    }),
    v.object({ id, changes }),
  );
const idOf = ({ id }: { id: string }) => id;
const hold = v.strictObject({ product_id: id, hold_id: id });

export const events: Record<string, Kind> = {
  "product.restocked": kind(about("product_id", v.strictObject({ quantity: units })), (redis, { id, changes }, op) =>
    stock.restock(redis, id, changes.quantity, op),
  ),
  "product.updated": kind(
    about("product_id", productPatch),
    (redis, { id, changes }, op) => products.update(redis, id, changes as products.ProductPatch, op),
    idOf,
  ),
  "profile.updated": kind(about("user_id", profilePatch), (redis, { id, changes }, op) => profiles.update(redis, id, changes, op), idOf),
  "profile.verified": kind(
    about("user_id", v.strictObject({ verified: v.optional(v.boolean(), true) })),
    (redis, { id, changes }, op) => profiles.update(redis, id, changes, op),
    idOf,
  ),
  "config.updated": kind(
    about("name", settings),
    (redis, { id, changes }, op, source) => config.update(redis, id, changes, { by: `webhook:${source}`, reason: "", scopes: [] }, op),
    idOf,
  ),
  "cache.invalidated": kind(dropped, (redis, { tags }, op) => cache.invalidate(redis, tags, op)),
  "session.revoked": kind(v.strictObject({ user_id: id, session_id: id }), (redis, { user_id, session_id }, op) =>
    sessions.remove(redis, user_id, session_id, op),
  ),
  "cart.cleared": kind(
    v.strictObject(cartRef),
    (redis, cart, op) => carts.clear(redis, cart, op),
    ({ kind, id }) => `${kind}:${id}`,
  ),
  "hold.committed": kind(hold, (redis, { product_id, hold_id }, op) => holds.commit(redis, product_id, hold_id, op)),
  "hold.released": kind(hold, (redis, { product_id, hold_id }, op) => holds.release(redis, product_id, hold_id, op)),
};

/** The value at a path of names in the event's body, undefined when there is none. */
type At = (path: string) => Json | undefined;
type Event = { type: string; timestamp?: Json | undefined; data: { [name: string]: Json | undefined } };

export const translations: Record<"stripe" | "github", Record<string, (at: At) => Event | undefined>> = {
  /** By `type`. An event without a timestamp gets Stripe's `created`. */
  stripe: {
    // A paid checkout keeps the units that were put on hold for it, and one that ran out of time gives them back:
    // create the Checkout Session with metadata { product_id, hold_id }.
    "checkout.session.completed": (at) => endOfHold(at, "hold.committed"),
    "checkout.session.expired": (at) => endOfHold(at, "hold.released"),
  },
  /** By the name of the event and its action, such as `push` or `release.published`. */
  github: {
    // Responses that were cached with the tag `repo:<owner>/<name>` are read anew after a push.
    push(at) {
      const name = at("repository.full_name");
      return typeof name === "string" ? { type: "cache.invalidated", data: { tags: [`repo:${name}`] } } : undefined;
    },
  },
};

function endOfHold(at: At, type: "hold.committed" | "hold.released"): Event | undefined {
  const [product_id, hold_id] = [at("data.object.metadata.product_id"), at("data.object.metadata.hold_id")];
  return hold_id === undefined ? undefined : { type, data: { product_id, hold_id } };
}
