/**
 * What an isolate remembers from one request to the next. Each database has separate entries, also when one process
 * serves several. Their number is bounded: the least recently used entry is dropped first.
 */
import type { Redis } from "./wire.ts";

/** A Map with at most `max` entries. When it is full, it drops the entry that was read or written longest ago. */
export class Recent<V> {
  readonly #entries = new Map<string, V>();
  readonly #max: number;
  constructor(max: number) {
    this.#max = max;
  }
  get size(): number {
    return this.#entries.size;
  }
  /** The entry, or undefined. */
  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }
  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!);
  }
  delete(key: string): void {
    this.#entries.delete(key);
  }
  /** All entries, the least recently used first. */
  entries(): IterableIterator<[string, V]> {
    return this.#entries.entries();
  }
}

const maxDatabases = 32;

/**
 * Keep one value for each database, made at the first use.
 * @returns a function from a connection to the value of its database
 * @example
 * const known = perDatabase(() => new Recent<string[]>(1000));
 * known(redis).get(userId);
 */
export function perDatabase<T extends object>(make: () => T): (redis: Pick<Redis, "database">) => T {
  const made = new Recent<T>(maxDatabases);
  return ({ database }) => {
    const known = made.get(database) ?? make();
    made.set(database, known);
    return known;
  };
}
