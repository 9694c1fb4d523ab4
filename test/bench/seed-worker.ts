/**
 * The seed's own sequences of commands as routes of a Worker, with the same framework, client and settings as ours:
 * what is compared is the way to use Redis, not the way to reach it. `/floor` is the least a request can take.
 */
import { Redis } from "@upstash/redis/cloudflare";
import { Hono } from "hono";
import { clientSettings } from "../../src/redis/wire.ts";

type Env = { Bindings: { UPSTASH_REDIS_REST_URL: string; UPSTASH_REDIS_REST_TOKEN: string } };
const app = new Hono<Env>();
let shared: Redis | undefined;
const open = ({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }: Env["Bindings"]): Redis =>
  (shared ??= new Redis({ url, token, ...clientSettings, signal: () => AbortSignal.timeout(8_000) }));

const asObject = (flat: unknown) => {
  const list = flat as string[];
  return Object.fromEntries(list.flatMap((field, i) => (i % 2 ? [] : [[field, list[i + 1]]])));
};

app.get("/floor/:id", async (c) => c.json(asObject(await open(c.env).hgetall(`user:${c.req.param("id")}`))));

app.get("/profiles/:id", async (c) => c.json(asObject(await open(c.env).hgetall(`user:${c.req.param("id")}`))));

app.post("/products/:id/purchase", async (c) => {
  const redis = open(c.env);
  const key = `product:${c.req.param("id")}`;
  const { quantity } = await c.req.json<{ quantity: number }>();
  const stock = await redis.hget<string>(key, "stock");
  if (Number.parseInt(stock ?? "", 10) < quantity) return c.json({ error: "Insufficient stock" }, 409);
  return c.json({ remaining: await redis.hincrby(key, "stock", -quantity) });
});

app.post("/carts/:id/items", async (c) => {
  const redis = open(c.env);
  const key = `cart:user:${c.req.param("id")}`;
  const { product_id, quantity } = await c.req.json<{ product_id: string; quantity: number }>();
  await redis.hincrby(key, `product:${product_id}`, quantity);
  await redis.expire(key, 604_800);
  return c.json(asObject(await redis.hgetall(key)));
});

app.post("/sessions/validate", async (c) => {
  const redis = open(c.env);
  const key = `session:${(await c.req.json<{ token: string }>()).token}`;
  if (!(await redis.hexists(key, "user_id"))) return c.json({ error: "no session" }, 404);
  await redis.hset(key, { last_activity: new Date().toISOString() });
  await redis.expire(key, 86_400);
  return c.json(asObject(await redis.hgetall(key)));
});

app.get("/config/:name", async (c) => c.json(asObject(await open(c.env).hgetall(`config:${c.req.param("name")}`))));

app.post("/rate-limits/:id/consume", async (c) => {
  const redis = open(c.env);
  const key = `ratelimit:user:${c.req.param("id")}`;
  const { endpoint, limit } = await c.req.json<{ endpoint: string; limit: number }>();
  const count = await redis.hget<string>(key, endpoint);
  if (Number(count) >= limit) return c.json({ error: "Too many requests" }, 429);
  return c.json({ used: await redis.hincrby(key, endpoint, 1) });
});

app.get("/cache/:id/:field", async (c) => c.json(await open(c.env).hget(`api:user:response:${c.req.param("id")}`, c.req.param("field"))));

export default app;
