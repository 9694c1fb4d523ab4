/**
 * SCAN, HSCAN, SSCAN and ZSCAN without going through all that was seen before.
 *
 * A cursor is how many elements have been visited. The place where a scan stopped is remembered, so the next step goes on
 * from there, and whatever is deleted meanwhile shifts nothing: an element that stays from beginning to end is seen. A
 * cursor whose place is forgotten counts its way from the beginning. The engine's own commands match and shape each page.
 */
import type { CommandDefinition, RedisExecutionContext, RedisResult } from "js-redis-server/core";
import { known } from "./embedded-commands.ts";

type ScanArgs = { key?: Buffer; cursor: bigint; count?: number };
type Elements = Map<string, unknown>;
/** The identifiers that are still to come; `next` was read to see that there is one. */
type Place = { elements: Elements; ids: Iterator<string>; next: string };
/** A database as the engine's command sees it: the page and nothing else. */
type Page = (elements: [string, unknown][]) => object;

const MAX_PLACES = 128;
const DEFAULT_COUNT = 10;

/** The four commands, with places of their own for each engine. */
export function scanCommands(): CommandDefinition[] {
  const places = new Map<string, Place>();
  const none: Elements = new Map();

  function scan(name: string, elementsOf: (ctx: RedisExecutionContext, key: Buffer) => Elements | undefined, page: Page): CommandDefinition {
    const definition = known(name);
    return {
      ...definition,
      execute(args: unknown, ctx) {
        const { key = Buffer.alloc(0), cursor, count = DEFAULT_COUNT } = args as ScanArgs;
        const elements = elementsOf(ctx, key) ?? none;
        const found: [string, unknown][] = [];
        let at = placeOf(name, key, cursor, elements);
        while (at && found.length < count) {
          const { ids, next } = at;
          if (elements.has(next)) found.push([next, elements.get(next)]);
          at = advance(elements, ids);
        }
        const after = at ? cursor + BigInt(found.length) : 0n;
        if (at) remember(name, key, after, at);
        const shown = { ...ctx, db: page(found) } as unknown as RedisExecutionContext;
        return withCursor(definition.execute({ ...(args as ScanArgs), cursor: 0n, count: found.length || 1 }, shown) as RedisResult, after);
      },
    };
  }

  function placeOf(name: string, key: Buffer, cursor: bigint, elements: Elements): Place | null {
    const id = placeId(name, key, cursor);
    const place = places.get(id);
    places.delete(id);
    if (place?.elements === elements) return place;
    const ids = elements.keys();
    const skipped = cursor < BigInt(elements.size) ? Number(cursor) : elements.size;
    for (let i = 0; i < skipped; i++) ids.next();
    return advance(elements, ids);
  }

  function remember(name: string, key: Buffer, cursor: bigint, place: Place): void {
    places.set(placeId(name, key, cursor), place);
    const [oldest] = places.keys();
    if (places.size > MAX_PLACES && oldest !== undefined) places.delete(oldest);
  }

  return [
    scan(
      "scan",
      ({ db }) => keysOf(db),
      (found) => ({ entriesSnapshot: () => found.map(([, entry]) => entry) }),
    ),
    scan(
      "hscan",
      ({ db }, key) => {
        const hash = db.getHash(key);
        if (hash) db.updateHash(key, ({ size }) => size);
        return hash?.fields;
      },
      (found) => ({
        getHash: () => found,
        updateHash: (_key: Buffer, read: (hash: unknown) => unknown) => read({ entries: () => found.map(([, field]) => field) }),
      }),
    ),
    scan(
      "sscan",
      ({ db }, key) => db.getSet(key)?.members,
      (found) => ({ getSet: () => ({ members: new Map(found) }) }),
    ),
    scan(
      "zscan",
      ({ db }, key) => db.getSortedSet(key)?.members,
      (found) => ({ getSortedSet: () => ({ members: new Map(found) }) }),
    ),
  ];
}

function placeId(name: string, key: Buffer, cursor: bigint): string {
  return `${name} ${cursor} ${key.toString("hex")}`;
}

function advance(elements: Elements, ids: Iterator<string>): Place | null {
  const { done, value } = ids.next();
  return done ? null : { elements, ids, next: value };
}

/** All keys that have not expired. `size` looks for those that have. */
function keysOf(db: RedisExecutionContext["db"]): Elements {
  db.size();
  return (db as unknown as { keyspace: { entries: Elements } }).keyspace.entries;
}

function withCursor(result: RedisResult, cursor: bigint): RedisResult {
  if (result.value.kind === "array" && result.value.items[0]) result.value.items[0] = { kind: "bulk-string", value: Buffer.from(String(cursor)) };
  return result;
}
