/** Every route that a session opens, with a session that does not open it: refused, and nothing is written. */
import { describe, expect, test } from "vitest";
import { definedRoutes } from "../src/build/openapi.ts";
import { ownCredentials, systems } from "../src/systems/index.ts";
import { expectUnchanged, snapshot } from "./proof/snapshot.ts";
import { fresh, startWorld } from "./world.ts";

const world = await startWorld();
const { call, redis } = world;

const routes = definedRoutes([...ownCredentials.routes, ...systems.routes])
  .filter(({ definition }) => definition.by === "session")
  .flatMap((route) => (route.method === "GET" ? [route, { ...route, method: "HEAD" }] : [route]));

async function signIn(user = fresh("u")) {
  const { body } = await call("POST /v1/sessions", { json: { user_id: user } });
  return { user, token: body.token as string, id: body.session.session_id as string };
}

/** A user whose every route has something to read or to change: a profile, a cart of one line, two sessions. */
async function someone() {
  const who = await signIn();
  const username = who.user.replaceAll("-", "").slice(-24);
  await call("POST /v1/profiles", { json: { id: who.user, username, email: `${username}@example.com` } });
  await call("POST /v1/products", { json: { id: "soap", name: "Soap", price: "2.50", stock: 10 } });
  await call(`POST /v1/carts/user/${who.user}/items`, { json: { product_id: "soap", quantity: 1 } });
  return { ...who, username, second: await signIn(who.user) };
}

const victim = await someone();
const ids: Record<string, string> = { product: "soap", session_id: victim.second.id };
/** A body for each route that takes one. */
const bodies: Record<string, unknown> = {
  "PATCH /v1/me/profile": { bio: "taken" },
  "POST /v1/me/cart/items": { product_id: "soap", quantity: 1 },
  "PUT /v1/me/cart/items/:product": { quantity: 3 },
  "POST /v1/me/cart/checkout": { items: [{ product_id: "soap", quantity: 1 }] },
};
const send = ({ method, path }: { method: string; path: string }, token: string) =>
  call(`${method} ${path.replace(/:(\w+)/g, (_, name) => ids[name] ?? `no-value-for-${name}`)}`, {
    key: token,
    ...(`${method} ${path}` in bodies && { json: bodies[`${method} ${path}`] }),
  });

const [user, id, secret] = victim.token.split(".") as [string, string, string];
const encoded = (text: string) => Buffer.from(text).toString("base64url");
const stranger = await signIn();
const revoked = await signIn(victim.user);
await call("POST /v1/sessions/revoke", { json: { token: revoked.token } });
const left = await signIn(victim.user);
await redis("ZREM", `hop:sessions:${victim.user}`, left.id); // its hash is there, but it has left the index

/** Tokens that have the right form, and open nothing. */
const tokens: Record<string, string> = {
  "forged: another secret": `${user}.${id}.${"A".repeat(43)}`,
  "forged: another session of the user": `${user}.${victim.second.id}.${secret}`,
  "forged: a session that is not there": `${user}.${crypto.randomUUID()}.${secret}`,
  "foreign: the victim's name on a stranger's session": `${user}.${stranger.token.split(".").slice(1).join(".")}`,
  "foreign: a stranger's name on the victim's session": `${encoded(stranger.user)}.${id}.${secret}`,
  revoked: revoked.token,
  "revoked by leaving the index": left.token,
};

// All were last seen an hour ago, and have less than their whole life before them: a touch would show.
for (const session of await redis("KEYS", "session:*")) {
  await redis("HSET", session, "last_activity", new Date(Date.now() - 3_600_000).toISOString());
  await redis("EXPIRE", session, 3600);
}

test("the walk knows a body for every route that takes one, and a value for every parameter", () => {
  expect(routes.length).toBeGreaterThan(15);
  expect(routes.flatMap(({ method, path, definition }) => (definition.body ? [`${method} ${path}`] : [])).sort()).toEqual(Object.keys(bodies).sort());
  expect([...new Set(routes.flatMap(({ path }) => path.match(/(?<=:)\w+/g) ?? []))].filter((name) => !ids[name])).toEqual([]);
});

describe.each(Object.entries(tokens))("%s", (_, token) => {
  test("is 401 on every route, and the database is what it was", async () => {
    const before = await snapshot(world);
    for (const route of routes) {
      const answer = await send(route, token);
      const name = `${route.method} ${route.path}`;
      expect([name, answer.status, route.method === "HEAD" ? "unauthorized" : answer.body.code]).toEqual([name, 401, "unauthorized"]);
      expectUnchanged(await snapshot(world), before, name);
    }
  });
});

test("a stranger's living session reaches its own data only: the victim's is as it was on every route", async () => {
  const ofVictim = async () => (await snapshot(world)).filter((entry) => JSON.stringify(entry).includes(victim.user));
  const before = await ofVictim();
  expect(before.length).toBeGreaterThan(3);
  for (const route of routes) {
    const { text, status } = await send(route, (await signIn(stranger.user)).token);
    const name = `${route.method} ${route.path}`;
    if (route.path.includes(":session_id") && route.method !== "HEAD") expect([name, status]).toEqual([name, 404]);
    expect(text, name).not.toContain(victim.user);
    expectUnchanged(await ofVictim(), before, name);
  }
});

test("the same walk with the victim's own session is let in everywhere, so the refusals are the token's", async () => {
  for (const route of routes) {
    const own = await signIn(victim.user);
    await call(`PUT /v1/carts/user/${victim.user}/items/soap`, { json: { quantity: 1 } });
    ids.session_id = (await signIn(victim.user)).id;
    const { status } = await send(route, own.token);
    expect([200, 201, 204], `${route.method} ${route.path}`).toContain(status);
  }
});
