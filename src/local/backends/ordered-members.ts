/**
 * The members of a sorted set, in order: by score, and equal scores by the bytes of the member, as Redis has it.
 *
 * The order is a list of short sorted runs, made when it is first asked for and kept from then on: a change moves at most
 * one run, a rank adds up the lengths of the runs before it.
 */
import type { RedisSortedSetMember } from "js-redis-server/core";

const MAX_RUN = 512;

type Run = RedisSortedSetMember[];

function compare(a: RedisSortedSetMember, b: RedisSortedSetMember): number {
  return a.score !== b.score ? (a.score < b.score ? -1 : 1) : Buffer.compare(a.member, b.member);
}

/** A Map from the member's hex to the member, as the engine keeps it, that knows the order of its values. */
export class OrderedMembers extends Map<string, RedisSortedSetMember> {
  #runs: Run[] | null = null;

  /** The same members; `members` itself if it knows its order already. */
  static of(members: Map<string, RedisSortedSetMember>): OrderedMembers {
    if (members instanceof OrderedMembers) return members;
    const made = new OrderedMembers();
    for (const [id, entry] of members) made.set(id, entry);
    return made;
  }

  /** How many members come before this one. */
  rank(entry: RedisSortedSetMember): number {
    return this.countWhile((each) => compare(each, entry) < 0);
  }

  /** How many members, from the lowest on, satisfy `before`; it must hold for a first part of the order and for nothing after it. */
  countWhile(before: (member: RedisSortedSetMember) => boolean): number {
    const runs = this.#order();
    const at = firstNot(runs, (run) => before(run.at(-1) as RedisSortedSetMember));
    let count = 0;
    for (let i = 0; i < at; i++) count += (runs[i] as Run).length;
    const run = runs[at];
    return run ? count + firstNot(run, before) : count;
  }

  /** The members from position `start` to before position `end`, from the lowest on. */
  slice(start: number, end: number): RedisSortedSetMember[] {
    const found: RedisSortedSetMember[] = [];
    let from = start;
    let left = end - start;
    for (const run of this.#order()) {
      if (left <= 0) break;
      if (from < run.length) {
        for (let i = from; i < run.length && left > 0; i++, left--) found.push(run[i] as RedisSortedSetMember);
        from = 0;
      } else from -= run.length;
    }
    return found;
  }

  /** The members from the lowest on; what sorts them again finds them sorted. */
  override values(): MapIterator<RedisSortedSetMember> {
    return this.#order().flat().values() as MapIterator<RedisSortedSetMember>;
  }

  override set(id: string, entry: RedisSortedSetMember): this {
    if (this.#runs) {
      const was = this.get(id);
      if (was) this.#take(was);
      this.#put(entry);
    }
    return super.set(id, entry);
  }

  override delete(id: string): boolean {
    const was = this.get(id);
    if (was) this.#take(was);
    return super.delete(id);
  }

  override clear(): void {
    this.#runs = null;
    super.clear();
  }

  #order(): Run[] {
    if (this.#runs) return this.#runs;
    const sorted = [...super.values()].sort(compare);
    this.#runs = Array.from({ length: Math.ceil(sorted.length / (MAX_RUN / 2)) }, (_, i) => sorted.slice((i * MAX_RUN) / 2, ((i + 1) * MAX_RUN) / 2));
    return this.#runs;
  }

  #put(entry: RedisSortedSetMember): void {
    const runs = this.#runs as Run[];
    const at = Math.min(
      firstNot(runs, (run) => compare(run.at(-1) as RedisSortedSetMember, entry) < 0),
      Math.max(0, runs.length - 1),
    );
    const run = runs[at];
    if (!run) {
      runs.push([entry]);
      return;
    }
    run.splice(
      firstNot(run, (each) => compare(each, entry) < 0),
      0,
      entry,
    );
    if (run.length > MAX_RUN) runs.splice(at + 1, 0, run.splice(MAX_RUN / 2));
  }

  #take(entry: RedisSortedSetMember): void {
    const runs = this.#runs;
    if (!runs) return;
    const at = firstNot(runs, (run) => compare(run.at(-1) as RedisSortedSetMember, entry) < 0);
    const run = runs[at] as Run;
    run.splice(
      firstNot(run, (each) => compare(each, entry) < 0),
      1,
    );
    if (run.length === 0) runs.splice(at, 1);
  }
}

/** The position of the first item that does not satisfy `before`, by halving. */
function firstNot<T>(items: readonly T[], before: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
