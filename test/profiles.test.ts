import { describe, expect, test } from "vitest";
import { seedNode, seedPython } from "./seed/run.ts";
import { crowd, fresh, keys, redisUrl, sha256, startWorld } from "./world.ts";

const { call, redis, hash, measure } = await startWorld();

/** A person whose names nobody else has. */
function person(id = fresh("p")) {
  const username = `u${id.replace(/[^a-z0-9]/gi, "").slice(-24)}`;
  return { id, username, email: `${username}@example.com` };
}
async function created(more: Record<string, unknown> = {}) {
  const who = { ...person(), ...more };
  const answer = await call("POST /v1/profiles", { json: who });
  expect(answer.status).toBe(201);
  return { ...who, etag: answer.headers.get("ETag")! };
}

describe("creating", () => {
  test("a new profile is a plain hash as the seed writes it, with its claims beside it", async () => {
    const who = person();
    const answer = await call("POST /v1/profiles", { json: { ...who, first_name: "Alice", age: 25, admin: false, note: "25" } });
    expect(answer).toMatchObject({
      status: 201,
      body: { ...who, first_name: "Alice", age: 25, admin: false, note: "25", verified: false, avatar: "" },
    });
    expect(answer.headers.get("Location")).toBe(`/v1/profiles/${who.id}`);
    expect(answer.headers.get("ETag")).toMatch(/^"[0-9a-f]{40}"$/);
    expect(await hash(`user:${who.id}`)).toEqual({
      username: who.username,
      email: who.email,
      first_name: "Alice",
      last_name: "",
      avatar: "",
      bio: "",
      verified: "false",
      joined: answer.body.joined,
      age: "25",
      admin: "false",
      note: '"25"',
    });
    expect(Math.abs(Date.parse(answer.body.joined) - Date.now())).toBeLessThan(60_000);
    expect(answer.body.joined).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(await redis("GET", `hop:username:${who.username}`)).toBe(who.id);
    expect(await redis("GET", `hop:email:${sha256(who.email)}`)).toBe(who.id);
  });

  test("without an id a UUID is made", async () => {
    const { id: _, ...who } = person();
    const answer = await call("POST /v1/profiles", { json: who });
    expect(answer.body.id).toMatch(/^[0-9a-f-]{36}$/);
    expect((await call(`GET /v1/profiles/${answer.body.id}`)).body).toEqual(answer.body);
  });

  test("an existing id, name or address is refused, whatever its case, and nothing is left behind", async () => {
    const alice = await created();
    const keysBefore = await redis("DBSIZE");
    expect(await call("POST /v1/profiles", { json: { ...person(), id: alice.id } })).toMatchObject({ status: 409, body: { code: "profile_exists" } });
    const sameName = await call("POST /v1/profiles", { json: { ...person(), username: alice.username.toUpperCase() } });
    expect(sameName).toMatchObject({ status: 409, body: { code: "username_taken" } });
    const sameAddress = await call("POST /v1/profiles", { json: { ...person(), email: alice.email.toUpperCase() } });
    expect(sameAddress).toMatchObject({ status: 409, body: { code: "email_taken" } });
    expect(await redis("DBSIZE")).toBe(keysBefore);
  });

  test("fifty racers for one username: one owner", async () => {
    const { username } = person();
    const answers = await crowd(50, () => call("POST /v1/profiles", { json: { ...person(), username } }));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status, body }) => status === 409 && body.code === "username_taken")).toHaveLength(49);
    const owner = answers.find(({ status }) => status === 201)!.body.id;
    expect(await redis("GET", `hop:username:${username}`)).toBe(owner);
  });

  test("fifty repeats with one idempotency key: one effect, fifty equal answers", async () => {
    const { id: _, ...who } = person();
    const headers = { "Idempotency-Key": fresh("key") };
    const answers = await crowd(50, () => call("POST /v1/profiles", { json: who, headers }));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(201);
    expect(answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true")).toHaveLength(49);
    expect(new Set(answers.map(({ headers }) => headers.get("ETag"))).size).toBe(1);
  });
});

describe("reading", () => {
  test("fields=, view=public and an unknown id", async () => {
    const who = await created({ bio: "Hi" });
    expect(await call(`GET /v1/profiles/${who.id}?fields=bio,email`)).toMatchObject({
      status: 200,
      body: { id: who.id, bio: "Hi", email: who.email },
    });
    const open = await call(`GET /v1/profiles/${who.id}?view=public`);
    expect(Object.keys(open.body).sort()).toEqual(["avatar", "bio", "first_name", "id", "joined", "username"]);
    expect(await call("GET /v1/profiles/nobody")).toMatchObject({ status: 404, body: { code: "profile_not_found" } });
    expect(await call("GET /v1/profiles/nobody?fields=bio")).toMatchObject({ status: 404, body: { code: "profile_not_found" } });
  });

  test("the public view never reads the other fields", async () => {
    const who = await created();
    const { byCommand } = await measure(() => call(`GET /v1/profiles/${who.id}?view=public`));
    expect(byCommand).toEqual({ HMGET: 1, EXISTS: 1 });
  });

  test("If-None-Match with the current ETag is 304 and empty", async () => {
    const who = await created();
    const answer = await call(`GET /v1/profiles/${who.id}`, { headers: { "If-None-Match": `"other", W/${who.etag}` } });
    expect(answer).toMatchObject({ status: 304, text: "" });
    expect(answer.headers.get("ETag")).toBe(who.etag);
  });

  test("HEAD answers like GET without a body and writes nothing", async () => {
    const who = await created();
    const { answer, byCommand } = await measure(() => call(`HEAD /v1/profiles/${who.id}`));
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(answer.headers.get("ETag")).toBe(who.etag);
    expect(byCommand).toEqual({ HGETALL: 1 });
  });

  test("look-up by username and by email, whatever the case; exactly one of them", async () => {
    const who = await created();
    expect(await call(`GET /v1/profiles?username=${who.username.toUpperCase()}`)).toMatchObject({ status: 200, body: { id: who.id } });
    expect(await call(`GET /v1/profiles?email=${encodeURIComponent(who.email.toUpperCase())}`)).toMatchObject({
      status: 200,
      body: { id: who.id },
      hops: 2,
    });
    expect(await call("GET /v1/profiles?username=no.body.here")).toMatchObject({ status: 404, hops: 1 });
    expect(await call("GET /v1/profiles")).toMatchObject({ status: 422, hops: 0 });
    expect(await call(`GET /v1/profiles?username=${who.username}&email=${who.email}`)).toMatchObject({ status: 422, hops: 0 });
  });

  test("batch-get keeps the order, says null for the missing and takes one hop", async () => {
    const [a, b] = [await created(), await created()];
    const whole = await call("POST /v1/profiles/batch-get", { json: { ids: [b.id, "nobody", a.id] } });
    expect(whole).toMatchObject({ status: 200, hops: 1, body: { profiles: [{ id: b.id, email: b.email }, null, { id: a.id }] } });
    const some = await call("POST /v1/profiles/batch-get", { json: { ids: [a.id, "nobody"], fields: ["bio"] } });
    expect(some.body).toEqual({ profiles: [{ id: a.id, bio: "" }, null] });
    expect(await call("POST /v1/profiles/batch-get", { json: { ids: [] } })).toMatchObject({ status: 422, hops: 0 });
    expect(await call("POST /v1/profiles/batch-get", { json: { ids: Array(101).fill("a") } })).toMatchObject({ status: 422, hops: 0 });
    expect(await call("POST /v1/profiles/batch-get", { json: { ids: ["a"] }, key: keys.reader })).toMatchObject({ status: 200 });
  });
});

describe("changing", () => {
  test("PUT creates, replaces whole and keeps joined and verified", async () => {
    const { id, ...who } = person();
    const made = await call(`PUT /v1/profiles/${id}`, { json: { ...who, bio: "old", shoe_size: 44 } });
    expect(made).toMatchObject({ status: 201, body: { id, bio: "old", shoe_size: 44 } });
    await call(`PUT /v1/profiles/${id}/verified`, { json: { verified: true } });
    const replaced = await call(`PUT /v1/profiles/${id}`, { json: who });
    expect(replaced).toMatchObject({ status: 200, body: { id, bio: "", verified: true, joined: made.body.joined } });
    expect(replaced.body).not.toHaveProperty("shoe_size");
  });

  test("If-None-Match: * on PUT creates only", async () => {
    const who = await created();
    const { id, etag, ...fields } = who;
    const refused = await call(`PUT /v1/profiles/${id}`, { json: fields, headers: { "If-None-Match": "*" } });
    expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(refused.headers.get("ETag")).toBe(etag);
    const { id: newId, ...others } = person();
    expect(await call(`PUT /v1/profiles/${newId}`, { json: others, headers: { "If-None-Match": "*" } })).toMatchObject({ status: 201 });
  });

  test("PATCH merges: null removes, what is not named stays, an unknown profile stays unknown", async () => {
    const who = await created({ bio: "Hi", city: "NYC" });
    const answer = await call(`PATCH /v1/profiles/${who.id}`, {
      json: { bio: "Bye", city: null, age: 26 },
      headers: { "Content-Type": "application/merge-patch+json" },
    });
    expect(answer).toMatchObject({ status: 200, hops: 1, body: { id: who.id, email: who.email, bio: "Bye", age: 26 } });
    expect(answer.body).not.toHaveProperty("city");
    expect((await call(`GET /v1/profiles/${who.id}`)).headers.get("ETag")).toBe(answer.headers.get("ETag"));
    const nobody = fresh();
    expect(await call(`PATCH /v1/profiles/${nobody}`, { json: { bio: "x" } })).toMatchObject({ status: 404 });
    expect(await redis("EXISTS", `user:${nobody}`)).toBe(0);
  });

  test("If-Match: a write by another service between read and PATCH gives 412 with the current ETag", async () => {
    const who = await created();
    await redis("HSET", `user:${who.id}`, "bio", "from next door");
    const refused = await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "mine" }, headers: { "If-Match": who.etag } });
    expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    const current = await call(`GET /v1/profiles/${who.id}`);
    expect(refused.headers.get("ETag")).toBe(current.headers.get("ETag"));
    expect(current.body.bio).toBe("from next door");
    const headers = { "If-Match": `"0000", ${current.headers.get("ETag")}` };
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "mine" }, headers })).toMatchObject({ status: 200, body: { bio: "mine" } });
    expect(
      await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" }, headers: { "If-Match": `W/${current.headers.get("ETag")}` } }),
    ).toMatchObject({ status: 412 });
  });

  test("a name that moves frees the old one and takes the new one", async () => {
    const who = await created();
    const { username } = person();
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { username } })).toMatchObject({ status: 200, body: { username } });
    expect(await redis("GET", `hop:username:${username}`)).toBe(who.id);
    expect(await redis("EXISTS", `hop:username:${who.username}`)).toBe(0);
    expect(await redis("GET", `hop:email:${sha256(who.email)}`)).toBe(who.id);
  });

  test("twenty renames of one profile at once all come through, one after another", async () => {
    const who = await created();
    const wanted = Array.from({ length: 20 }, () => person().username);
    const answers = await crowd(20, (i) => call(`PATCH /v1/profiles/${who.id}`, { json: { username: wanted[i] } }));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const { username } = await hash(`user:${who.id}`);
    const owners = await Promise.all(wanted.map((name) => redis("GET", `hop:username:${name}`)));
    expect(wanted.filter((_, i) => owners[i] === who.id)).toEqual([username]);
  });

  test("a text that starts with a byte order mark comes back, and its ETag matches", async () => {
    const who = await created({ bio: "\ufeffhello" });
    const read = await call(`GET /v1/profiles/${who.id}`);
    expect(read.body.bio).toBe("\ufeffhello");
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { city: "Bern" }, headers: { "If-Match": read.headers.get("ETag")! } })).toMatchObject({
      status: 200,
    });
  });

  test("a profile that another service wrote without an address can be given one", async () => {
    const { id, username, email } = person();
    await redis("HSET", `user:${id}`, "username", username);
    expect(await call(`PATCH /v1/profiles/${id}`, { json: { email } })).toMatchObject({ status: 200, body: { email } });
    expect(await redis("GET", `hop:email:${sha256(email)}`)).toBe(id);
  });

  test("a claim whose owner's key holds another type does not block the name", async () => {
    const { id, ...who } = person();
    await redis("SET", `hop:username:${who.username}`, "stranger");
    await redis("SET", "user:stranger", "a string");
    expect(await call(`PUT /v1/profiles/${id}`, { json: who })).toMatchObject({ status: 201 });
  });

  test("unusual addresses are addresses", async () => {
    for (const email of ["o'brien@example.com", "a@xn--d1acpjx3f.com", "a/b@example.com", "a+b@sub.example.co.uk"])
      expect(await call("POST /v1/profiles", { json: { ...person(), email } }), email).toMatchObject({ status: 201 });
  });

  test("a name in another case stays mine", async () => {
    const who = await created();
    const username = who.username.toUpperCase();
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { username } })).toMatchObject({ status: 200, body: { username } });
    expect(await redis("GET", `hop:username:${who.username}`)).toBe(who.id);
  });

  test("twenty swaps at once never leave a name with two owners or none", async () => {
    const people = await Promise.all(Array.from({ length: 4 }, () => created()));
    const names = people.map(({ username }) => username);
    await crowd(40, (i) => call(`PATCH /v1/profiles/${people[i % 4]!.id}`, { json: { username: names[(i * 7 + 1) % 4] } }));
    const held = await Promise.all(people.map(async ({ id }) => (await hash(`user:${id}`)).username!.toLowerCase()));
    expect(new Set(held).size).toBe(4);
    for (const [i, { id }] of people.entries()) expect(await redis("GET", `hop:username:${held[i]}`)).toBe(id);
  });

  test("a name changed by another service: its old claim does not block, its freeing is right", async () => {
    const who = await created();
    await redis("HSET", `user:${who.id}`, "username", `${who.username}x`); // as the seed's updateUserProfile
    const heir = await created({ username: who.username });
    expect(await redis("GET", `hop:username:${who.username}`)).toBe(heir.id);
    expect(await call(`DELETE /v1/profiles/${who.id}`)).toMatchObject({ status: 204 });
    expect(await redis("GET", `hop:username:${who.username}`)).toBe(heir.id);
  });

  test("DELETE frees the claims; a second one is 404", async () => {
    const who = await created();
    expect(await call(`DELETE /v1/profiles/${who.id}`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("EXISTS", `user:${who.id}`, `hop:username:${who.username}`, `hop:email:${sha256(who.email)}`)).toBe(0);
    expect(await call(`DELETE /v1/profiles/${who.id}`)).toMatchObject({ status: 404 });
    expect(await call("POST /v1/profiles", { json: { ...person(), username: who.username, email: who.email } })).toMatchObject({ status: 201 });
  });

  test("verified needs its own scope", async () => {
    const who = await created();
    expect(await call(`PUT /v1/profiles/${who.id}/verified`, { json: { verified: true } })).toMatchObject({ status: 200, body: { verified: true } });
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { verified: false } })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/verified" }] },
    });
    expect(await call(`PUT /v1/profiles/${who.id}/verified`, { json: { verified: true }, key: keys.reader })).toMatchObject({ status: 403 });
    expect(await call(`PUT /v1/profiles/${fresh()}/verified`, { json: { verified: true } })).toMatchObject({ status: 404 });
  });

  test("a profile has 64 fields at most, also by PATCH", async () => {
    const many = Object.fromEntries(Array.from({ length: 56 }, (_, i) => [`f${i}`, i]));
    const who = await created(many);
    expect(Object.keys(await hash(`user:${who.id}`))).toHaveLength(64);
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { one_more: 1 } })).toMatchObject({ status: 409, body: { code: "too_many_fields" } });
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { one_more: 1, f0: null } })).toMatchObject({ status: 200 });
    expect(await call("POST /v1/profiles", { json: { ...person(), ...many, f56: 1 } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("a key of another type is 409 wrong_type, and no claim is taken", async () => {
    const who = person();
    await redis("SET", `user:${who.id}`, "a string");
    for (const line of [
      `PUT /v1/profiles/${who.id}`,
      `PATCH /v1/profiles/${who.id}`,
      `DELETE /v1/profiles/${who.id}`,
      `GET /v1/profiles/${who.id}`,
    ]) {
      const { id: _, ...json } = who;
      expect(await call(line, line.startsWith("P") ? { json } : {})).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    }
    expect(await redis("GET", `user:${who.id}`)).toBe("a string");
    expect(await redis("EXISTS", `hop:username:${who.username}`)).toBe(0);
  });
});

test("every profile route takes one hop but the two that the contract names", async () => {
  const first = await created(); // loads the scripts
  await call(`PATCH /v1/profiles/${first.id}`, { json: { bio: "x" } });
  await call(`PUT /v1/profiles/${first.id}`, { json: { username: first.username, email: first.email } });
  await call(`DELETE /v1/profiles/${first.id}`);
  const { id, ...who } = person();
  const other = await created();
  const table: Record<string, number> = {};
  for (const [line, json] of [
    ["POST /v1/profiles", { id, ...who }],
    [`GET /v1/profiles/${id}`],
    [`GET /v1/profiles/${id}?fields=bio`],
    [`GET /v1/profiles/${id}?view=public`],
    [`HEAD /v1/profiles/${id}`],
    ["POST /v1/profiles/batch-get", { ids: [id, other.id] }],
    [`PATCH /v1/profiles/${id}`, { bio: "new" }],
    [`PUT /v1/profiles/${id}/verified`, { verified: true }],
    [`PUT /v1/profiles/${id}`, who],
    [`GET /v1/profiles?username=${who.username}`],
    [`PATCH /v1/profiles/${id}`, { username: `${who.username.slice(0, 20)}.2` }],
    [`DELETE /v1/profiles/${id}`],
  ] as [string, unknown?][]) {
    const { answer, requests } = await measure(() => call(line, { json }));
    expect(answer.status).toBeLessThan(300);
    expect(answer.hops).toBe(requests);
    table[line.replace(id, "{id}").replace(who.username, "…")] = requests;
  }
  console.log("hops per profile route", table);
  const { "GET /v1/profiles?username=…": byName, ...rest } = table;
  expect(byName).toBe(2);
  expect(new Set(Object.values(rest))).toEqual(new Set([1]));
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("ioredis reads what we wrote and we read what it wrote", async () => {
    const { seed } = seedNode();
    const who = await created({ bio: "Hi" });
    expect(await seed.getUserProfile!(who.id)).toMatchObject({ username: who.username, email: who.email, bio: "Hi", verified: "false" });
    expect(await seed.getUserEmail!(who.id)).toBe(who.email);
    await seed.updateUserProfile!(who.id, { bio: "Updated bio" });
    expect((await call(`GET /v1/profiles/${who.id}`)).body.bio).toBe("Updated bio");
    const other = person();
    await seed.createUserProfile!(other.id, { ...other, firstName: "Al", lastName: "Smith" });
    expect(await call(`GET /v1/profiles/${other.id}`)).toMatchObject({
      status: 200,
      body: { ...other, first_name: "Al", verified: false, avatar: "" },
    });
    expect(await call(`PATCH /v1/profiles/${other.id}`, { json: { username: who.username } })).toMatchObject({
      status: 409,
      body: { code: "username_taken" },
    });
  });

  test("redis-py reads what we wrote and we read what it wrote", async () => {
    const who = await created();
    expect(await seedPython("get_user_profile", who.id)).toMatchObject({ username: who.username, verified: "false" });
    await seedPython("update_user_profile", who.id, { avatar: "https://example.com/a.jpg" });
    expect((await call(`GET /v1/profiles/${who.id}`)).body.avatar).toBe("https://example.com/a.jpg");
    const other = person();
    await seedPython("create_user_profile", other.id, other);
    expect(await call(`GET /v1/profiles/${other.id}`)).toMatchObject({ status: 200, body: { ...other, first_name: "", verified: false } });
    expect(await call(`DELETE /v1/profiles/${other.id}`)).toMatchObject({ status: 204 });
    expect(await seedPython("get_user_profile", other.id)).toBe(null);
  });
});
