/**
 * The contract that every entity system keeps, as one suite: `describeEntity()` runs it for a system that says what is
 * its own. What a system lacks it names with the reason, and the suite shows that it really lacks it.
 */
import { describe, expect, test } from "vitest";
import { costs } from "./costs.ts";
import { expectUnchanged, snapshot } from "./proof/snapshot.ts";
import { type Answer, type Call, fresh, keys, sha256, type World } from "./world.ts";

/** A line such as `PUT {path}/items`, where `{path}` is the entity's, and the body. */
type Request = [line: string, json: unknown];
type Entity = { path: string; key: string };

export type System = {
  /** The path of one entity, with `{id}` where its id stands. */
  path: string;
  /** The key of its hash, likewise. */
  hash: string;
  /** The scope to write it; the one to read it is `<scope>:read`. */
  scope: string;
  /** A body for `PUT`, or what `changedBy` sends. */
  body: (id: string) => Record<string, unknown>;
  /** How one is made; without it `PUT` with `body`. */
  createdBy?: (id: string) => Request;
  /** Where it is then, when its creation gives it a name. */
  madeAt?: (answer: Answer) => Entity;
  /** A write of one that is there; without it `PUT` with `body`. */
  changedBy?: (id: string) => Request;
  /** A query that reads a part, and the names of the members of that answer. */
  fields: [query: string, members: string[]];
  /** A query that reads what is stored now. */
  fresh?: string;
  /** A field that another service writes with HSET, and the members of the answer that then show it. */
  foreign: [field: string, text: string, shows: unknown];
  /** A field that does not hold what it should (null: is missing), and a write that must reckon with it. */
  broken: [field: string, text: string | null, write: Request];
  /** Lines of the contract that do not hold for this system, and why. */
  lacks?: Partial<Record<Line, string>>;
};

type Subject = Required<Pick<System, "fields" | "foreign" | "fresh">> & {
  world: World;
  system: System;
  /** Send the request that makes an entity of this id. */
  create: (id: string, more?: Call) => Promise<Answer>;
  /** Make one. */
  made: () => Promise<Entity & { id: string; etag: string }>;
  /** One that is not there. */
  absent: () => Entity & { id: string };
  change: (one: Entity & { id: string }, headers?: Record<string, string>, more?: Call) => Promise<Answer>;
};

const etagOf = ({ headers }: Answer) => headers.get("ETag");
const codeOf = ({ status, body }: Answer) => [status, body?.code];

const lines = {
  "creates with 201 and an ETag": async ({ create }: Subject) => {
    const answer = await create(fresh());
    expect([answer.status, etagOf(answer)]).toEqual([201, expect.stringMatching(/^"[0-9a-f]{40}"$/)]);
  },

  "GET is 200 with the ETag, and 304 without a body for a caller who has it": async ({ world, made, fresh }: Subject) => {
    const { path, etag } = await made();
    expect(etagOf(await world.call(`GET ${path}${fresh}`))).toBe(etag);
    for (const known of [etag, `"other", W/${etag}`, "*"]) {
      const answer = await world.call(`GET ${path}${fresh}`, { headers: { "If-None-Match": known } });
      expect([known, answer.status, answer.text, etagOf(answer)]).toEqual([known, 304, "", etag]);
    }
    expect(await world.call(`GET ${path}${fresh}`, { headers: { "If-None-Match": '"other"' } })).toMatchObject({ status: 200 });
  },

  "HEAD is GET without a body, and writes nothing": async ({ world, made, absent, fresh }: Subject) => {
    const { path, etag } = await made();
    const gone = absent().path;
    const before = await snapshot(world);
    const head = await world.call(`HEAD ${path}${fresh}`);
    expect([head.status, head.text, etagOf(head)]).toEqual([200, "", etag]);
    const none = await world.call(`HEAD ${gone}${fresh}`);
    expectUnchanged(await snapshot(world), before, "HEAD");
    expect([none.status, none.text]).toEqual([(await world.call(`GET ${gone}${fresh}`)).status, ""]);
  },

  "a part shows only what was asked, has no ETag and is never 304": async ({ world, made, fields: [query, members] }: Subject) => {
    const { path, etag } = await made();
    for (const headers of [{}, { "If-None-Match": etag }, { "If-None-Match": "*" }] as Record<string, string>[]) {
      const answer = await world.call(`GET ${path}${query}`, { headers });
      expect([answer.status, etagOf(answer)]).toEqual([200, null]);
      expect(Object.keys(answer.body).sort()).toEqual([...members].sort());
    }
  },

  "If-Match: a wrong one is 412 with the ETag, * on what is absent is 412, the right one writes": async ({
    world,
    made,
    absent,
    change,
  }: Subject) => {
    const one = await made();
    const before = await world.hash(one.key);
    const refused = await change(one, { "If-Match": `"${"0".repeat(40)}"` });
    expect([...codeOf(refused), etagOf(refused)]).toEqual([412, "precondition_failed", one.etag]);
    expect(await world.hash(one.key)).toEqual(before);
    const gone = absent();
    expect(codeOf(await change(gone, { "If-Match": "*" }))).toEqual([412, "precondition_failed"]);
    expect(await world.redis("EXISTS", gone.key)).toBe(0);
    expect((await change(one, { "If-Match": `"0", ${one.etag}` })).status).toBe(200);
    expect(await world.hash(one.key)).not.toEqual(before);
  },

  "If-None-Match: * on one that is there is 412": async ({ world, made, change }: Subject) => {
    const one = await made();
    const before = await world.hash(one.key);
    const refused = await change(one, { "If-None-Match": "*" });
    expect([...codeOf(refused), etagOf(refused)]).toEqual([412, "precondition_failed", one.etag]);
    expect(await world.hash(one.key)).toEqual(before);
  },

  "a repeat with the same key is the first answer, byte for byte; the key with another request is 422": async ({ world, made, change }: Subject) => {
    const one = await made();
    const headers = { "Idempotency-Key": fresh("key") };
    const first = await change(one, headers);
    const before = await snapshot(world);
    const again = await change(one, headers);
    expect([again.status, again.text, etagOf(again)]).toEqual([first.status, first.text, etagOf(first)]);
    expect([first, again].map((answer) => answer.headers.get("Idempotency-Replayed"))).toEqual([null, "true"]);
    expect(codeOf(await world.call(`DELETE ${one.path}`, { headers }))).toEqual([422, "idempotency_key_reused"]);
    expectUnchanged(await snapshot(world), before, "a repeat");
  },

  "DELETE is 204, and so is its repeat": async ({ world, made }: Subject) => {
    const { path, key } = await made();
    const headers = { "Idempotency-Key": fresh("key") };
    for (const replayed of [null, "true"]) {
      const answer = await world.call(`DELETE ${path}`, { headers });
      expect([answer.status, answer.text, answer.headers.get("Idempotency-Replayed")]).toEqual([204, "", replayed]);
      expect(await world.redis("EXISTS", key)).toBe(0);
    }
  },

  "a body that is no JSON object, too large or of another type is refused before any hop": async ({ world, made, change }: Subject) => {
    const one = await made();
    const before = await snapshot(world);
    for (const [raw, type, status, code] of [
      ["{", "application/json", 400, "malformed_json"],
      ["[]", "application/json", 422, "invalid"],
      [`{"a":"${"x".repeat(64 * 1024 - 7)}"}`, "application/json", 413, "body_too_large"],
      ["{}", "text/plain", 415, "unsupported_media_type"],
    ] as const) {
      const answer = await change(one, { "Content-Type": type }, { raw, json: undefined });
      expect([...codeOf(answer), answer.hops]).toEqual([status, code, 0]);
    }
    expectUnchanged(await snapshot(world), before, "a refused body");
  },

  "a key of another type is 409 wrong_type, and stays": async ({ world, made, change, fresh }: Subject) => {
    const one = await made();
    await world.redis("DEL", one.key);
    await world.redis("SET", one.key, "a text");
    const before = await snapshot(world);
    expect(codeOf(await world.call(`GET ${one.path}${fresh}`))).toEqual([409, "wrong_type"]);
    expect(codeOf(await change(one))).toEqual([409, "wrong_type"]);
    expectUnchanged(await snapshot(world), before, "wrong_type");
  },

  "a write that must reckon with a broken field is 409 corrupt_record, and the hash stays": async ({ world, system, made }: Subject) => {
    const one = await made();
    const [field, text, write] = system.broken;
    await (text === null ? world.redis("HDEL", one.key, field) : world.redis("HSET", one.key, field, text));
    const before = await snapshot(world);
    const [line, json] = at(one, write);
    expect(codeOf(await world.call(line, { json }))).toEqual([409, "corrupt_record"]);
    expectUnchanged(await snapshot(world), before, "corrupt_record");
  },

  "a write whose answer is lost is asked for again, and applied once": async ({ world, create }: Subject) => {
    const size = async () => (await world.redis("DBSIZE")) as number;
    await create(fresh()); // loads the script
    const [empty, plain, one] = [await size(), await create(fresh()), await size()];
    await world.control("POST /faults", { kind: "lose-answer", times: 1 });
    const lost = await create(fresh());
    await world.control("DELETE /faults");
    expect([lost.status, lost.hops]).toEqual([plain.status, 2]);
    expect((await size()) - one).toBe(one - empty);
  },

  "an unknown key is 401, another system's 403, and one that may only read writes nothing": async ({
    world,
    system,
    made,
    change,
    fresh,
  }: Subject) => {
    const one = await made();
    const before = await snapshot(world);
    for (const [key, read, write] of [
      [null, 401, 401],
      ["key-of-nobody", 401, 401],
      [foreignKey, 403, 403],
      [readerOf(system.scope), 200, 403],
    ] as const) {
      expect([key, (await world.call(`GET ${one.path}${fresh}`, { key })).status]).toEqual([key, read]);
      const answer = await change(one, {}, { key });
      expect([key, answer.status, answer.hops]).toEqual([key, write, 0]);
      expect([key, (await world.call(`DELETE ${one.path}`, { key })).status]).toEqual([key, write]);
    }
    expectUnchanged(await snapshot(world), before, "a refused key");
  },

  "what another service writes with HSET is read as its text says": async ({ world, made, foreign: [field, text, shows], fresh }: Subject) => {
    const { path, key, etag } = await made();
    await world.redis("HSET", key, field, text);
    const answer = await world.call(`GET ${path}${fresh}`);
    expect(answer).toMatchObject({ status: 200, body: shows });
    expect(etagOf(answer)).not.toBe(etag);
  },

  "each call costs what the table says": async ({ world, system, create, made, change, fields: [query], fresh: now }: Subject) => {
    const cost: Record<string, [requests: number, commands: number]> = {};
    const row = async (name: string, work: () => Promise<Answer>) => {
      const { answer, requests, commands } = await world.measure(work);
      expect([name, answer.status < 300]).toEqual([name, true]);
      cost[name] = [requests, commands];
    };
    const [first, one] = [await made(), await made()];
    await change(first); // loads the scripts
    await world.call(`DELETE ${first.path}`);
    await row("create", () => create(fresh()));
    await row("GET", () => world.call(`GET ${one.path}${now}`));
    await row("HEAD", () => world.call(`HEAD ${one.path}${now}`));
    if (!system.lacks?.["a part shows only what was asked, has no ETag and is never 304"])
      await row("part", () => world.call(`GET ${one.path}${query}`));
    await row("change", () => change(one));
    await row("DELETE", () => world.call(`DELETE ${one.path}`));
    expect(cost).toEqual(costs[system.path]);
  },
};
export type Line = keyof typeof lines;

const at = ({ path }: { path: string }, [line, json]: Request): Request => [line.replace("{path}", path), json];

const foreignKey = "key-of-another-system";
const readerOf = (scope: string) => `key-reader-of-${scope}`;
/** The API keys that the suite calls with, as the setting `API_KEYS`. */
export const apiKeysFor = (scopes: string[]): string =>
  JSON.stringify([
    { name: "all", sha256: sha256(keys.all), scopes: ["*"] },
    { name: "foreign", sha256: sha256(foreignKey), scopes: ["rate-limits"] },
    ...scopes.map((scope) => ({ name: `reader-of-${scope}`, sha256: sha256(readerOf(scope)), scopes: [`${scope}:read`] })),
  ]);

/** Run the contract for one system, in a world with the keys of {@link apiKeysFor}. */
export function describeEntity(world: World, system: System): void {
  const named = (id: string): Entity => ({ path: system.path.replaceAll("{id}", id), key: system.hash.replaceAll("{id}", id) });
  const put = (id: string): Request => ["PUT {path}", system.body(id)];
  const send = ({ id, ...one }: Entity & { id: string }, request: (id: string) => Request, headers = {}, more: Call = {}) => {
    const [line, json] = at(one, request(id));
    return world.call(line, { json, headers, ...more });
  };
  const create = (id: string, more: Call = {}) => send({ id, ...named(id) }, system.createdBy ?? put, more.headers, more);
  const made = async () => {
    const id = fresh();
    const answer = await create(id);
    expect([200, 201], answer.text).toContain(answer.status);
    const one = system.madeAt?.(answer) ?? named(id);
    return { id, ...one, etag: (await world.call(`GET ${one.path}${system.fresh ?? ""}`)).headers.get("ETag")! };
  };
  const subject: Subject = {
    world,
    system,
    fields: system.fields,
    foreign: system.foreign,
    fresh: system.fresh ?? "",
    create,
    made,
    absent: () => {
      const id = fresh("none");
      return { id, ...named(id) };
    },
    change: (one, headers, more) => send(one, system.changedBy ?? put, headers, more),
  };
  describe(system.path, () => {
    for (const [line, holds] of Object.entries(lines) as [Line, (subject: Subject) => Promise<void>][]) {
      const reason = system.lacks?.[line];
      if (reason === undefined) test(line, () => holds(subject));
      // Who adds what was lacking sees this fail, and strikes the lack out.
      else test(`lacks "${line}": ${reason}`, () => expect(holds(subject)).rejects.toThrow());
    }
  });
}
