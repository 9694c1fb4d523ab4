/** Every entity system under the one contract. A new system adds its paragraph here and its rows in costs.ts. */
import { apiKeysFor, describeEntity } from "./entity.ts";
import { startWorld } from "./world.ts";

const scopes = ["profiles", "products", "leaderboards", "config", "cache", "hashes", "carts", "sessions"];
const world = await startWorld({ bindings: { API_KEYS: apiKeysFor(scopes) } });

const person = (id: string) => ({ username: id, email: `${id}@example.com` });
describeEntity(world, {
  path: "/v1/profiles/{id}",
  hash: "user:{id}",
  scope: "profiles",
  createdBy: (id) => ["POST /v1/profiles", { id, ...person(id) }],
  body: (id) => ({ ...person(id), bio: "Hello" }),
  fields: ["?fields=username,nothing", ["id", "username"]],
  foreign: ["city", "1e3", { city: "1e3" }],
  broken: ["verified", "perhaps", ["PATCH {path}", { bio: "x" }]],
  lacks: {
    "a write that must reckon with a broken field is 409 corrupt_record, and the hash stays":
      "A merge reckons with no other field, and a name that is missing frees nothing.",
  },
});

const mug = { name: "Mug", price: "12.50", stock: 5 };
describeEntity(world, {
  path: "/v1/products/{id}",
  hash: "product:{id}",
  scope: "products",
  createdBy: (id) => ["POST /v1/products", { id, ...mug }],
  body: () => ({ ...mug, category: "kitchen" }),
  fields: ["?fields=name,nothing", ["id", "name"]],
  foreign: ["weight", "1e3", { weight: "1e3" }],
  broken: ["price", "cheap", ["PATCH {path}", { category: "x" }]],
});

describeEntity(world, {
  path: "/v1/leaderboards/{id}/players/{id}",
  hash: "leaderboard:{id}:user:{id}",
  scope: "leaderboards",
  createdBy: (id) => ["PUT {path}", { username: id }],
  body: () => ({ level: 3 }),
  fields: ["?fields=username,nothing", ["id", "players", "rank", "score", "username"]],
  foreign: ["clan", "1e3", { clan: "1e3" }],
  broken: ["score", "high", ["PUT {path}", { level: 4 }]],
});

const schemaless = "Any text is a value: no field has a form of its own.";
describeEntity(world, {
  path: "/v1/config/{id}",
  hash: "config:{id}",
  scope: "config",
  createdBy: () => ["PUT {path}", { theme: "dark", limit: 5 }],
  body: () => ({ theme: "light", limit: 5 }),
  fields: ["?fields=theme,nothing", ["theme"]],
  fresh: "?fresh=true",
  foreign: ["zip", "1e3", { zip: "1e3" }],
  broken: ["theme", "{", ["PATCH {path}", { limit: 6 }]],
  lacks: { "a write that must reckon with a broken field is 409 corrupt_record, and the hash stays": schemaless },
});

describeEntity(world, {
  path: "/v1/cache/user/{id}",
  hash: "api:user:response:{id}",
  scope: "cache",
  createdBy: () => ["PUT {path}", { fields: { tier: "gold", n: 1 }, ttl_seconds: 60 }],
  body: () => ({ fields: { tier: "silver", n: 1 }, ttl_seconds: 60 }),
  fields: ["?fields=tier,nothing", ["tier"]],
  foreign: ["zip", "1e3", { zip: "1e3" }],
  broken: ["tier", "{", ["PUT {path}", { fields: { n: 1 }, ttl_seconds: 60 }]],
  lacks: {
    "creates with 201 and an ETag": "Storing is 200, whether a response was there or not: one may end at any moment.",
    "a write that must reckon with a broken field is 409 corrupt_record, and the hash stays": schemaless,
  },
});

describeEntity(world, {
  path: "/v1/hashes/{id}",
  hash: "{id}",
  scope: "hashes",
  createdBy: () => ["PUT {path}", { a: "1", b: "2" }],
  body: () => ({ a: "1", b: "3" }),
  fields: ["?fields=a,nothing", ["a", "nothing"]],
  foreign: ["zip", "1e3", { zip: "1e3" }],
  broken: ["a", "many", ["POST {path}/fields/a/increment", { by: 1 }]],
});

describeEntity(world, {
  path: "/v1/carts/user/{id}",
  hash: "cart:user:{id}",
  scope: "carts",
  createdBy: () => ["POST {path}/items", { product_id: "mug", quantity: 2 }],
  body: () => ({ product_id: "cup", quantity: 1 }),
  changedBy: () => ["POST {path}/items", { product_id: "cup", quantity: 1 }],
  fields: ["?view=priced", ["expires_in", "items", "subtotal"]],
  foreign: ["product:mug", "7", { items: [{ product_id: "mug", quantity: 7 }] }],
  broken: ["product:mug", "many", ["POST {path}/items", { product_id: "mug", quantity: 1 }]],
  lacks: { "creates with 201 and an ETag": "An absent cart is an empty one: adding a line is 200." },
});

describeEntity(world, {
  path: "/v1/users/{id}/sessions/{id}",
  hash: "session:{id}",
  scope: "sessions",
  createdBy: (id) => ["POST /v1/sessions", { user_id: id }],
  madeAt: ({ body: { session } }) => ({
    path: `/v1/users/${session.user_id}/sessions/${session.session_id}`,
    key: `session:${session.session_id}`,
  }),
  body: () => ({ theme: "dark" }),
  changedBy: () => ["PATCH {path}", { theme: "dark" }],
  fields: ["?fields=theme", ["theme"]],
  foreign: ["zip", "1e3", { zip: "1e3" }],
  broken: ["ttl_seconds", "long", ["PATCH {path}", { theme: "dark" }]],
  lacks: {
    "creates with 201 and an ETag": "Signing in answers with a token and the session in it, which is not the entity.",
    "a part shows only what was asked, has no ETag and is never 304": "A session is read whole.",
    "a write that must reckon with a broken field is 409 corrupt_record, and the hash stays": "A merge reckons with no field; validating does.",
  },
});
