/**
 * `--save FILE`: the embedded engine's data over a restart.
 *
 * The file is one line that says what it is, with the length and SHA-256 of what follows, and then the keys. It is
 * written beside the old one and put in its place in one step, so it is whole or it is the old one. A file that is
 * something else, or that is torn, is refused and left alone.
 */
import { createHash } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { deserialize, serialize } from "node:v8";
import type { KeyspaceEntry, RedisServerState } from "js-redis-server/core";

export type Saving = { close(): Promise<void> };

export type SaveOptions = { everyMs?: number; onProblem?: (message: string) => void };

type Saved = { entries: KeyspaceEntry[]; functions: Buffer };

const TITLE = "onehop local upstash data 1";

/** Load the file if it is there, then keep it up to date: every few seconds if something changed, and at the end. */
export async function keepSaved(state: RedisServerState, file: string, { everyMs = 2_000, onProblem = () => {} }: SaveOptions = {}): Promise<Saving> {
  const saved = await load(file);
  if (saved) restore(state, saved);
  let changed = saved === null;
  state.getDatabase(0).subscribe(() => {
    changed = true;
  });
  let writing = Promise.resolve();

  function save(): Promise<void> {
    writing = writing.then(async () => {
      changed = false;
      await write(file, await snapshot(state));
    });
    return writing;
  }

  const timer = setInterval(() => {
    if (!changed) return;
    save().catch((error: Error) => {
      changed = true;
      writing = Promise.resolve();
      onProblem(`cannot save to ${file}: ${error.message}`);
    });
  }, everyMs);
  timer.unref();
  if (changed) await save().catch((error: Error) => Promise.reject(new Error(`cannot save to ${file}: ${error.message}`)));
  return {
    async close() {
      clearInterval(timer);
      await save();
    },
  };
}

/**
 * Everything there is as bytes, between two commands: a transaction is in it as a whole or not at all. The entries are the
 * live ones, so they are written down before the next command runs.
 */
async function snapshot(state: RedisServerState): Promise<Buffer> {
  const database = state.getDatabase(0);
  const turn = await database.turnQueue.waitTurn();
  try {
    const saved: Saved = { entries: database.entriesSnapshot(), functions: state.functionRegistry.dump() };
    return serialize(saved);
  } finally {
    turn.release();
  }
}

function restore(state: RedisServerState, { entries, functions }: Saved): void {
  const database = state.getDatabase(0);
  for (const { key, value, expiresAt } of entries) database.set(key, value, expiresAt === undefined ? {} : { expiresAt });
  state.functionRegistry.restore(functions, "flush");
  state.sweepExpired();
}

async function write(file: string, body: Buffer): Promise<void> {
  const beside = `${file}.${process.pid}.tmp`;
  const handle = await open(beside, "w", 0o600);
  try {
    await handle.writeFile(`${TITLE} ${body.length} ${sha256(body)}\n`);
    await handle.writeFile(body);
    await handle.sync();
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}

/** What the file holds; null if there is none. */
async function load(file: string): Promise<Saved | null> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw new Error(`cannot read ${file}: ${error.message}`);
  });
  if (bytes === null) return null;
  const end = bytes.indexOf("\n");
  const line = bytes.toString("latin1", 0, Math.max(0, Math.min(end, 200)));
  if (!line.startsWith(TITLE)) throw new Error(`${file} was not written by this program; it is left as it is. Choose another file for --save`);
  const [length, digest] = line.slice(TITLE.length + 1).split(" ");
  const body = bytes.subarray(end + 1);
  if (Number(length) === body.length && digest === sha256(body)) return deserialize(body) as Saved;
  throw new Error(
    `${file} is damaged: ${body.length} of ${length} bytes, or other bytes than were written. It is left as it is; move it away to start empty`,
  );
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
