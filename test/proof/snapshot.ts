/** All that is in a database at one moment, to show that a call left it as it was. */
import { expect } from "vitest";
import type { World } from "../world.ts";
import { dump } from "./samples.ts";

export type Snapshot = { key: string; type: string; content: string[]; endsAt: number }[];

/** Every key with type, content and when it ends (Unix time in ms, -1 for never), in the order of their names. */
export async function snapshot(world: World): Promise<Snapshot> {
  const entries = await dump(world);
  const now = Date.now();
  return entries
    .map(([key, type, ttl, content]) => ({ key, type, content, endsAt: ttl < 0 ? ttl : now + ttl }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** How far two readings of one key's end may differ: it is read over HTTP. A write that renews a TTL moves it further. */
const slackMs = 3000;

/** Nothing was written between two snapshots: no key, no content, no TTL. */
export function expectUnchanged(after: Snapshot, before: Snapshot, name: string): void {
  const rounded = (entries: Snapshot) =>
    entries.map((entry, i) => ({ ...entry, endsAt: Math.abs(entry.endsAt - (before[i]?.endsAt ?? 0)) < slackMs ? "as before" : entry.endsAt }));
  expect(rounded(after), name).toEqual(rounded(before));
}
