/**
 * `npm run demo`: fill a small shop into a server that runs, through its own API. What is there already stays as it
 * is, so it may run again at any time.
 */
const url = (process.env.ONEHOP_URL ?? `http://127.0.0.1:${process.env.PORT || 8787}`).replace(/\/$/, "");
const key = process.env.API_KEY ?? "dev-key";

// biome-ignore lint/suspicious/noExplicitAny: each call below knows its answer
type Answer = { status: number; body: any; replayed: boolean };

/** Call the API; any status but a success or one of `fine` ends the demo. */
async function call(line: string, body?: unknown, { headers = {}, fine = [] as number[] } = {}): Promise<Answer> {
  const [method = "GET", path = "/"] = line.split(" ");
  const response = await fetch(url + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok && !fine.includes(response.status)) throw new Error(`${line} answered ${response.status}: ${text.slice(0, 300)}`);
  return { status: response.status, body: text ? JSON.parse(text) : null, replayed: response.headers.has("Idempotency-Replayed") };
}

/** Create what is not there yet. @returns whether it was created */
const create = async (path: string, body: unknown, headers: Record<string, string> = {}) =>
  (await call(`PUT ${path}`, body, { headers: { ...headers, "If-None-Match": "*" }, fine: [412] })).status === 201;

const made: [what: string, made: number, of: number][] = [];
async function all<T>(what: string, list: readonly T[], make: (item: T, i: number) => Promise<boolean>): Promise<void> {
  const results = await Promise.all(list.map(make));
  made.push([what, results.filter(Boolean).length, list.length]);
}

const products = [
  ["1001", "MacBook Pro", "1999.99", 5, "laptops", 4.8],
  ["1002", "Mechanical keyboard", "129.00", 42, "accessories", 4.6],
  ["1003", "27-inch display", "449.50", 12, "displays", 4.4],
  ["1004", "USB-C dock", "189.90", 0, "accessories", 3.9],
  ["1005", "Wireless mouse", "59.95", 120, "accessories", 4.2],
  ["1006", "Noise-cancelling headphones", "279.00", 18, "audio", 4.7],
  ["1007", "Webcam 4K", "99.00", 3, "accessories", 4.1],
  ["1008", "Laptop stand", "39.50", 64, "accessories", 4.5],
] as const;

const people = [
  ["1", "alice", "Alice", "Liddell", "Reads Redis manuals for fun."],
  ["2", "bob", "Bob", "Martin", "Plays in the evening, ships in the morning."],
  ["3", "grace", "Grace", "Hopper", "Nanoseconds matter."],
  ["4", "linus", "Linus", "Pauling", ""],
  ["5", "joan", "Joan", "Clarke", "Patterns, one after another."],
  ["6", "edsger", "Edsger", "Dijkstra", "Prefers the shortest path."],
] as const;

const players =
  "alice bob grace linus joan edsger barbara donald margaret dennis ken radia tim vint frances john katherine alan jean niklaus shannon".split(" ");

/** Consecutive states of the config, so that its history has something to show. */
const settings = [
  ["alice", "first settings", { name: "Corner shop", theme: "light", debug: false, max_items: 100, currencies: ["EUR", "USD"] }],
  ["bob", "the night shift asked for it", { theme: "dark" }],
  ["grace", "looking for the slow page", { debug: true, sample_rate: 0.25 }],
  ["grace", "found it", { debug: false, sample_rate: null }],
  ["alice", "spring sale", { banner: { text: "Everything -10 %", until: "2027-04-30" }, max_items: 150 }],
] as const;

async function demo(): Promise<void> {
  console.log(`ONEHOP_URL=${url}\n`);
  await call("GET /ready");

  await all("products", products, async ([id, name, price, stock, category, rating]) => {
    const created = await create(`/v1/products/${id}`, { name, price, stock, category, rating, sku: `SKU-${id}` });
    const options = { headers: { "Idempotency-Key": `demo-sale-${id}` } };
    if (created && id === "1003") await call(`POST /v1/products/${id}/discount`, { percent: "10" }, options);
    if (created && id === "1007") await call(`POST /v1/products/${id}/holds`, { quantity: 1, ttl_seconds: 3600 }, options);
    return created;
  });

  await all("profiles", people, ([id, username, first_name, last_name, bio]) =>
    create(`/v1/profiles/${id}`, { username, email: `${username}@example.com`, first_name, last_name, bio, city: "Rotterdam" }),
  );

  // `set`, so that a second run changes nothing.
  await all("players of the board main", players, async (username, i) => {
    const id = String(i + 1);
    const entered = (await call(`PUT /v1/leaderboards/main/players/${id}`, { username, level: 1 + ((i * 7) % 23) })).status === 201;
    const score = ((i + 3) * 7919) % 5000;
    if (entered)
      await call(`POST /v1/leaderboards/main/players/${id}/results`, { score, op: "set", counters: { wins: score % 41, losses: score % 17 } });
    return entered;
  });

  const carts = [
    ["user", "1", { "1002": 1, "1005": 2 }],
    ["user", "2", { "1001": 1, "1004": 1, "1008": 3 }],
    ["guest", "g-4711", { "1006": 1 }],
  ] as const;
  await all("carts", carts, async ([kind, id, lines]) => {
    if ((await call(`GET /v1/carts/${kind}/${id}`)).body.items.length) return false;
    for (const [product, quantity] of Object.entries(lines)) await call(`PUT /v1/carts/${kind}/${id}/items/${product}`, { quantity });
    return true;
  });

  const first = settings[0];
  const isNew = await create("/v1/config/app", first[2], { "X-Actor": first[0], "X-Reason": first[1] });
  if (isNew)
    for (const [by, why, change] of settings.slice(1)) await call("PATCH /v1/config/app", change, { headers: { "X-Actor": by, "X-Reason": why } });
  made.push([`config app, in ${settings.length} versions`, Number(isNew), 1]);

  await all("sessions of user 1", ["Firefox on Linux", "Safari on iPhone"], async (user_agent, i) => {
    // The key names the day: what has expired comes back with the next one.
    const headers = { "Idempotency-Key": `demo-session-${i}-${new Date().toISOString().slice(0, 10)}` };
    const session = { user_id: "1", username: "alice", ip_address: `192.0.2.${10 + i}`, user_agent };
    return !(await call("POST /v1/sessions", session, { headers })).replayed;
  });

  const entries = [
    ["user", "1", { status: "active", tier: "premium", cart: { items: 3, total: "248.90" } }, 86_400, ["users"]],
    ["user", "2", { status: "active", tier: "free", cart: { items: 5, total: "2308.39" } }, 86_400, ["users"]],
    ["front", "home", { title: "Corner shop", products: ["1001", "1003", "1006"] }, 3600, ["front", "products"]],
  ] as const;
  await all("cached responses", entries, async ([name, id, fields, ttl_seconds, tags]) => {
    if ((await call(`HEAD /v1/cache/${name}/${id}`, undefined, { fine: [404] })).status === 200) return false;
    await call(`PUT /v1/cache/${name}/${id}`, { fields, ttl_seconds, stale_seconds: 3600, tags });
    return true;
  });

  const uses = [
    ["api:posts:create", 5, 3600, 4],
    ["api:search", 100, 3600, 37],
    ["login", 3, 900, 3],
  ] as const;
  const { policies } = (await call("GET /v1/rate-limits/1")).body;
  await all("limits of user 1", uses, async ([endpoint, limit, window_seconds, cost]) => {
    if (policies.some((policy: { endpoint: string }) => policy.endpoint === endpoint)) return false;
    await call("POST /v1/rate-limits/1/consume", { endpoint, limit, window_seconds, cost });
    return true;
  });

  for (const [what, count, of] of made)
    console.log(`${String(count).padStart(3)} of ${String(of).padEnd(3)} ${what}${count ? "" : " (there already)"}`);
  console.log(`\nLook around: ${url}/console (API key: ${process.env.API_KEY ? "yours" : key}), ${url}/docs`);
}

demo().catch((error: Error) => {
  const cause = (error.cause as Error | undefined)?.message ?? "";
  console.error(`demo: ${error.message}${/fetch failed/.test(error.message) ? `. Does \`npm run dev\` run at ${url}? ${cause}` : ""}`);
  process.exitCode = 1;
});
