// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of the code
/** Defects that have been made elsewhere, or nearly here, and for each the test that must not let it pass. */
export type Edit = { file: string; text: string; by: string };
export type Defect = { what: string; edits: Edit[]; file: string; test: string };

export const defects: Defect[] = [
  {
    what: "the client's own HTTP client carries the commands: one increment is sent up to six times",
    edits: [
      {
        file: "src/redis/wire.ts",
        text: 'super({ url: "https://unused.invalid", token: "unused", ...clientSettings });\n    this.client = requester;',
        by: "super({ url: process.env.UPSTASH!, token: process.env.TOKEN!, ...clientSettings });\n    void requester;",
      },
    ],
    file: "test/client.test.ts",
    test: "send each command once, also when its answer is lost",
  },
  {
    what: "a redirect is followed, with the token",
    edits: [{ file: "src/redis/wire.ts", text: 'redirect: "manual",', by: "" }],
    file: "test/closed.test.ts",
    test: "redirect",
  },
  {
    what: "what the session's check of a read says is not looked at",
    edits: [
      {
        file: "src/redis/check.ts",
        text: "if (!passes(results.slice(at, at + asked.length), round > 1)) {",
        by: "if (!passes(results.slice(at, at + asked.length), round > 1) && round > 1) {",
      },
    ],
    file: "test/check.test.ts",
    test: "lists and reads the user's own sessions",
  },
  {
    what: "a check rides on the first hop only: the second one is open",
    edits: [{ file: "src/redis/check.ts", text: 'check.when !== "first" || !isAsked', by: "!isAsked" }],
    file: "test/check.test.ts",
    test: "is judged by every hop of a request",
  },
  {
    what: "a command that writes goes past the check",
    edits: [
      {
        file: "src/redis/check.ts",
        text: "if (commands.every(reads)) return read(",
        by: "if (!reads(commands[0]!) && !/^EVAL/i.test(String(commands[0]![0]))) return bare.request(request);\n  if (commands.every(reads)) return read(",
      },
    ],
    file: "test/check.test.ts",
    test: "meets it all the same",
  },
  {
    what: "the record answers before the session is judged",
    edits: [{ file: "src/redis/operation.lua", text: 'if ends_check == "1" then\n  replayed = replay()', by: "if true then\n  replayed = replay()" }],
    file: "test/check.test.ts",
    test: "the session is judged before its record",
  },
  {
    what: "what an isolate remembers is shared by all databases",
    edits: [
      {
        file: "src/redis/memory.ts",
        text: "const known = made.get(database) ?? make();",
        by: 'const known = made.get("") ?? make();\n    made.set("", known);',
      },
    ],
    file: "test/memory.test.ts",
    test: "is kept apart",
  },
  {
    what: "the effect commits without its record",
    edits: [{ file: "src/redis/operation.lua", text: 'if reply[1] == "ok" then', by: "if false then" }],
    file: "test/operation.test.ts",
    test: "with the same key gets the first answer again, byte for byte, though the world went on",
  },
  {
    what: "the record is not checked in the script that writes: a repeat takes effect again",
    edits: [{ file: "src/redis/operation.lua", text: "if not recorded then", by: "if true then" }],
    file: "test/products.test.ts",
    test: "fifty repeats with one idempotency key: one purchase, fifty equal answers",
  },
  {
    what: "records are not bound to the caller: one sees another's answer",
    edits: [{ file: "src/http/operation.ts", text: "recordOf(c.var.caller.id, key)", by: 'recordOf("", key)' }],
    file: "test/operation.test.ts",
    test: "by another caller is that caller's own operation",
  },
  {
    what: "a purchase that reads the stock, and writes it in another request",
    edits: [
      { file: "src/systems/products/purchase.lua", text: "if stock_of(product.stock) < quantity then", by: "if false then" },
      {
        file: "src/systems/products/stock.ts",
        text: "  const reply = await purchaseScript(",
        by: '  const stock = await redis.client.hget<string>(keysOf(id).product, "stock");\n  if (Number(stock) < quantity) return { outcome: "insufficient_stock", available: Number(stock) };\n  const reply = await purchaseScript(',
      },
    ],
    file: "test/products.test.ts",
    test: "fifty buyers of five mugs buy five",
  },
  {
    what: "a session's key is enough, its secret is not looked at",
    edits: [
      { file: "src/systems/sessions/parts/session.lua", text: "if fields.secret_hash ~= secret_hash then", by: "if not fields.secret_hash then" },
    ],
    file: "test/sessions.test.ts",
    test: "whatever is wrong with a token, the answer is the same to the byte, and a malformed one costs no hop",
  },
  {
    what: "the secret of a session is stored as it is",
    edits: [
      {
        file: "src/systems/sessions/tokens.ts",
        text: 'createHash("sha256").update(secret).digest("hex");',
        by: 'secret || createHash("sha256").digest("hex");',
      },
    ],
    file: "test/canaries.test.ts",
    test: "tokens, keys, cookies, addresses and texts of people are in no log",
  },
  {
    what: "an outage reads as no session",
    edits: [
      {
        file: "src/systems/sessions/routes.ts",
        text: 'await sessions.validate(c.var.redis, c.req.valid("json").token);',
        by: 'await sessions.validate(c.var.redis, c.req.valid("json").token).catch(() => ({ outcome: "session_not_found" as const }));',
      },
    ],
    file: "test/sessions.test.ts",
    test: "while Redis does not answer it is 503, never `no session`, and sign-out does not pretend",
  },
  {
    what: "a touched session loses its TTL to the HSET, or never gets it back",
    edits: [{ file: "src/systems/sessions/parts/session.lua", text: 'redis.call("PEXPIRE", session, integer_text(max_ms))', by: "" }],
    file: "test/sessions.test.ts",
    test: "a session that lost its TTL to another service gets it back, one that got too much is cut",
  },
  {
    what: "the public view of a profile is the whole hash",
    edits: [{ file: "src/systems/profiles/routes.ts", text: "const asked = view ?", by: "const asked = view && !view ?" }],
    file: "test/profiles.test.ts",
    test: "the public view never reads the other fields",
  },
  {
    what: "If-Match is not looked at",
    edits: [{ file: "src/redis/operation.lua", text: 'if_match ~= "" and not matches(if_match, tag)', by: "false" }],
    file: "test/products.test.ts",
    test: "two editors of one stock: one 412",
  },
  {
    what: "NOSCRIPT after a flush is an error like any other",
    edits: [{ file: "src/redis/wire.ts", text: 'error?.startsWith("NOSCRIPT")', by: 'error?.startsWith("NO SCRIPT")' }],
    file: "test/operation.test.ts",
    test: "a flushed script cache is invisible, but for one more hop",
  },
  {
    what: "a lost answer is called a failure",
    edits: [{ file: "src/redis/error.ts", text: '"store_unreachable", writes ? "unknown" : "no");', by: '"store_unreachable", "no");' }],
    file: "test/faults.test.ts",
    test: "lose-answer",
  },
  {
    what: "retries without a budget: an outage doubles our requests",
    edits: [{ file: "src/redis/operation.ts", text: "budget.tokens -= 1;", by: "" }],
    file: "test/operation.test.ts",
    test: "while Redis is away, writes are tried again for a tenth of the requests at most",
  },
  {
    what: "checkout does not look whether every stock covers its line",
    edits: [{ file: "src/systems/carts/checkout.lua", text: "if available < item.quantity then", by: "if available < 0 then" }],
    file: "test/carts.test.ts",
    test: "every short line is named; products that are gone are; nothing is taken",
  },
  {
    what: "a number of a reply is taken as it comes: null in a 200",
    edits: [{ file: "src/redis/error.ts", text: 'if (!/^-?\\d+(\\.\\d+)?$/.test(text ?? "")) throw malformed(writes);', by: "" }],
    file: "test/answers.test.ts",
    test: "/v1/hashes/{key}",
  },
  {
    what: "quantities may be anything that is a number: -10 adds stock",
    edits: [{ file: "src/systems/products/sales-routes.ts", text: "quantity: integerFrom(1, 1000)", by: "quantity: v.number()" }],
    file: "test/products.test.ts",
    test: "a quantity of -10 does not add stock",
  },
  {
    what: "log lines name the address that was called",
    edits: [{ file: "src/http/app.ts", text: "route: c.req.routePath", by: "route: c.req.url" }],
    file: "test/canaries.test.ts",
    test: "tokens, keys, cookies, addresses and texts of people are in no log",
  },
  {
    what: "a number in a body keeps what JSON.parse makes of it",
    edits: [{ file: "src/http/json.ts", text: "} else if (isLossyNumber(token)) {", by: "} else if (token === undefined) {" }],
    file: "test/http.test.ts",
    test: "with what JSON.parse would change or hide are 422 and no hop",
  },
  {
    what: "CORS: whatever origin asks is reflected",
    edits: [{ file: "src/systems/me/middleware.ts", text: "originsOf(source).includes(origin)", by: "originsOf(source) !== undefined" }],
    file: "test/me.test.ts",
    test: "may read only from allowed origins; a bearer token needs no origin",
  },
  {
    what: "a webhook's JSON is written anew before it is measured by its signature",
    edits: [
      {
        file: "src/systems/webhooks/signatures.ts",
        text: ".update(prefix).update(body)",
        by: '.update(prefix).update((() => { try { return JSON.stringify(JSON.parse(Buffer.from(body).toString())); } catch { return ""; } })())',
      },
    ],
    file: "test/webhooks.test.ts",
    test: "is over the bytes: the same JSON with a space more is refused, one signed with it is taken",
  },
];
