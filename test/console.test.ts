/** The console in a real browser: each page, each change, the keyboard alone, axe, and hostile data. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { hasChromium, open, settled, startBrowser, watched } from "./browser.ts";
import { payloads } from "./payloads.ts";
import { keys, startWorld } from "./world.ts";

const world = await startWorld();
const { call, url } = world;
const root = join(import.meta.dirname, "..");
const axe = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const demo = async () =>
  (await promisify(execFile)(process.execPath, ["src/dev/demo.ts"], { cwd: root, env: { ...process.env, ONEHOP_URL: url, API_KEY: keys.all } }))
    .stdout;

describe("npm run demo", () => {
  test("fills a shop, and changes nothing when it runs again", async () => {
    expect(await demo()).toMatch(/8 of 8\s+products/);
    const state = async () => JSON.stringify(await Promise.all(["product:1003", "config:app", "leaderboard:user:3", "cart:user:2"].map(world.hash)));
    const before = await state();
    const again = await demo();
    expect(again.match(/^ {2}0 of/gm)?.length).toBe(again.match(/ of \d/g)?.length);
    expect(await state()).toBe(before);
    expect((await call("GET /v1/config/app/history")).body.history).toHaveLength(5);
  });

  test("says what to do when there is no server", async () => {
    const run = promisify(execFile)(process.execPath, ["src/dev/demo.ts"], { cwd: root, env: { ...process.env, ONEHOP_URL: "http://127.0.0.1:9" } });
    await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("npm run dev") });
  });
});

describe("its files", () => {
  test("weigh less than 120 kB gzipped in all", () => {
    const folder = join(root, "build/assets/console");
    const sizes = readdirSync(folder).map((name) => [name, gzipSync(readFileSync(join(folder, name)), { level: 9 }).length] as const);
    const all = sizes.reduce((sum, [, size]) => sum + size, 0);
    console.log(`console: ${all} bytes gzipped (${sizes.map(([name, size]) => `${name} ${size}`).join(", ")})`);
    expect(all).toBeLessThan(120_000);
  });

  test("come with a policy that allows nothing inline and nothing from elsewhere", async () => {
    const page = await call("GET /console", { key: null });
    expect(page.status).toBe(200);
    expect(page.headers.get("Content-Security-Policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    );
    expect(page.text).not.toMatch(/<style|style=|<script>|\son\w+=|https?:/);
    const types = { "app.js": "text/javascript", "style.css": "text/css", "pages.css": "text/css" };
    for (const [file, type] of Object.entries(types)) {
      const answer = await call(`GET /console/${file}`, { key: null });
      expect([answer.status, answer.headers.get("Content-Type"), answer.headers.get("X-Content-Type-Options"), answer.hops]).toEqual([
        200,
        expect.stringContaining(type),
        "nosniff",
        0,
      ]);
    }
    for (const path of ["/console/nothing.js", "/console/..%2fopenapi.json", "/console/app.js/x"])
      expect((await call(`GET ${path}`, { key: null })).status, path).toBe(404);
  });

  test("/ is a page for people and JSON for machines", async () => {
    const page = await call("GET /", { key: null, headers: { Accept: "text/html,*/*" } });
    expect(page.headers.get("Content-Type")).toContain("text/html");
    for (const path of ["/console", "/docs", "/openapi.json", "/problems", "/health"]) {
      expect(page.text).toContain(`href="${path}"`);
      expect((await call(`GET ${path}`, { key: null })).status, path).toBe(200);
    }
    expect((await call("GET /", { key: null })).body.name).toBe("onehop");
  });
});

describe.skipIf(!hasChromium)("in Chromium", async () => {
  const browser = hasChromium ? await startBrowser() : (null as never);
  const pages: Record<string, string> = {
    overview: "Worker",
    products: "MacBook Pro",
    "products/1007": "Restock",
    "products/nobody": "No product has this id",
    "profiles/1": "joined",
    leaderboards: "of 21",
    "leaderboards/main/5": "21 players in all",
    "sessions/1": "Firefox on Linux",
    "config/app": "spring sale",
    "carts/user/2": "2308.39",
    "carts/user/nobody": "This cart is empty",
    "cache/user/1": "premium",
    "limits/1": "api:search",
    hashes: "user:1",
    "hashes/user%3A1": "saved",
  };

  beforeAll(async () => {
    await demo();
  });

  async function signedIn(options?: Parameters<typeof watched>[2]) {
    const seen = await watched(browser, url, options);
    await seen.page.goto(`${url}/console`);
    await seen.page.getByLabel("API key").fill(keys.all);
    await seen.page.getByRole("button", { name: "Sign in" }).click();
    await seen.page.getByRole("heading", { name: "Overview" }).waitFor();
    return seen;
  }
  const says = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor({ timeout: 5000 });
  const card = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

  for (const colorScheme of ["light", "dark"] as const)
    test(`every page shows its data and passes axe (${colorScheme})`, { timeout: 120_000 }, async () => {
      const { page, wrong, close } = await watched(browser, url, { colorScheme });
      const violations: string[] = [];
      // Nothing but colours differs in the dark.
      const onlyColours = colorScheme === "dark" ? `, runOnly: ["color-contrast"]` : "";
      async function check(where: string) {
        await page.evaluate(axe);
        const found: any = await page.evaluate(`axe.run({ resultTypes: ["violations"]${onlyColours} })`);
        for (const { id, nodes } of found.violations) violations.push(`${where}: ${id} ${nodes[0].html.slice(0, 120)}`);
      }
      // The reference is long, and has the colours of the other two.
      for (const path of colorScheme === "dark" ? ["/", "/problems", "/console"] : ["/", "/docs", "/problems", "/console"]) {
        await page.goto(url + path);
        await page.locator("h1").waitFor();
        await check(path);
      }
      await page.getByLabel("API key").fill(keys.all);
      await page.getByRole("button", { name: "Sign in" }).click();
      for (const [route, text] of Object.entries(pages)) {
        await open(page, route);
        await says(page, text);
        await check(route);
      }
      expect(violations).toEqual([]);
      expect(wrong).toEqual([]);
      await close();
    });

  test("signs in, goes to a page and changes it with the keyboard alone", async () => {
    const { page, wrong, close } = await watched(browser, url);
    await page.goto(`${url}/console`);
    const press = async (key: string, until: string) => {
      for (let i = 0; i < 40; i++) {
        if (await page.evaluate(`(${until})(document.activeElement)`)) return;
        await page.keyboard.press(key);
      }
      throw new Error(`never reached ${until}`);
    };
    await press("Tab", `(at) => at.id === "key"`);
    await page.keyboard.type(keys.all);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await press("Tab", `(at) => at.textContent === "Products" && at.tagName === "A"`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Products", exact: true }).waitFor();
    await press("Tab", `(at) => at.tagName === "INPUT"`);
    await page.keyboard.type("1005");
    await page.keyboard.press("Enter");
    await says(page, "Wireless mouse");
    await press("Tab", `(at) => at.textContent === "Restock"`);
    await page.keyboard.press("Enter");
    await says(page, "Done: 130 in stock.");
    expect(wrong).toEqual([]);
    await close();
  });

  test("refuses an unknown key, and keeps the key nowhere but in memory", async () => {
    const { page, close } = await watched(browser, url);
    await page.goto(`${url}/console`);
    await page.getByLabel("API key").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await says(page, "not a key that the API knows");
    await page.getByLabel("API key").fill(keys.all);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const kept = await page.evaluate(
      `JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, document.body.innerHTML])`,
    );
    expect(kept).not.toContain(keys.all);
    await page.reload();
    await page.getByLabel("API key").waitFor();
    await close();
  });

  test("products: holds, releases, lowers a price, and shows each request as a curl that works", async () => {
    const { page, wrong, close } = await signedIn();
    await open(page, "products/1006");
    const holds = card(page, "Holds");
    await holds.getByRole("button", { name: "Hold", exact: true }).click();
    await says(page, "17 left");
    await holds.getByRole("button", { name: "Release" }).click();
    await expect.poll(async () => (await world.hash("product:1006")).stock).toBe("18");
    const discount = card(page, "Discount");
    await discount.locator("summary").first().click();
    const curl = await discount.getByLabel("The request as a curl").first().inputValue();
    const { stdout } = await promisify(execFile)("sh", ["-c", curl], { env: { ...process.env, API_KEY: keys.all } });
    expect(JSON.parse(stdout)).toMatchObject({ previous_price: "279.00", price: "251.10" });
    // The same request, with the same Idempotency-Key: the price falls once.
    await discount.getByRole("button", { name: "Lower the price" }).click();
    await says(page, "279.00 is now 251.10");
    expect((await world.hash("product:1006")).price).toBe("251.10");
    await discount.getByRole("button", { name: "Back to the list price" }).click();
    await expect.poll(async () => (await world.hash("product:1006")).price).toBe("279.00");
    expect(wrong).toEqual([]);
    await close();
  });

  test("products: lists every one of many, over as many steps as it takes", async () => {
    await Promise.all(
      Array.from({ length: 130 }, (_, i) => world.redis("HSET", `product:many-${i}`, "name", "one of many", "price", "1.00", "stock", "9")),
    );
    const { page, wrong, close } = await signedIn();
    await open(page, "products");
    const seen = new Set<string>();
    for (let step = 0; step < 20; step++) {
      for (const id of await page.getByRole("row").getByRole("link").allInnerTexts()) if (id.startsWith("many-")) seen.add(id);
      const next = page.getByRole("button", { name: "Next" });
      if (!(await next.count())) break;
      await next.click();
      await settled(page);
    }
    expect(seen.size).toBe(130);
    for (let i = 0; i < 130; i++) await world.redis("DEL", `product:many-${i}`);
    expect(wrong).toEqual([]);
    await close();
  });

  test("profiles: finds one by name, saves it, and shows both versions when another was faster", async () => {
    const { page, wrong, close } = await signedIn();
    await open(page, "profiles");
    await page.getByLabel("By").selectOption("username");
    await page.getByLabel("Value").fill("Grace");
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByLabel("bio").fill("First.");
    await page.getByRole("button", { name: "Save" }).click();
    await says(page, "Saved.");
    expect(await world.hash("user:3")).toMatchObject({ bio: "First.", username: "grace" });

    await page.getByLabel("bio").fill("Mine.");
    await call("PATCH /v1/profiles/3", { json: { bio: "Theirs.", city: "Delft" } });
    await page.getByRole("button", { name: "Save" }).click();
    await says(page, "Somebody else changed it");
    const both = await page.getByRole("region", { name: "Both versions" }).innerText();
    expect(both).toContain("Mine.");
    expect(both).toContain("Theirs.");
    expect((await world.hash("user:3")).bio).toBe("Theirs.");
    await page.getByRole("button", { name: "Keep mine, on top of theirs" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await says(page, "Saved.");
    expect(await world.hash("user:3")).toMatchObject({ bio: "Mine.", city: "Delft" });
    expect(wrong).toEqual([]);
    await close();
  });

  test("config: keeps types, shows what will change, conflicts and rolls back", async () => {
    await call("PUT /v1/config/desk", { json: { theme: "light", size: 3, on: true, list: [1] } });
    const { page, wrong, close } = await signedIn();
    await open(page, "config/desk");
    await page.getByLabel("Value of size").fill("4");
    await page.getByLabel("Value of on").selectOption("false");
    await page.getByLabel("New field").fill("limit");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByLabel("Type of limit").selectOption("json");
    await page.getByLabel("Value of limit").fill("{broken");
    await says(page, "A value is not of its type");
    await page.getByLabel("Value of limit").fill('{"a":null}');
    await page.getByRole("button", { name: "Remove list" }).click();
    await page.getByLabel("Why (X-Reason)").fill("a test");
    await page.getByRole("button", { name: "Save" }).click();
    await says(page, "Saved as a new version.");
    expect((await call("GET /v1/config/desk?fresh=true")).body).toEqual({ theme: "light", size: 4, on: false, limit: { a: null } });
    await says(page, "a test");
    await settled(page);

    // A member of an object goes, which a merge patch would keep.
    await page.getByLabel("Value of limit").fill('{"b":1}');
    await page.getByRole("button", { name: "Save" }).click();
    await expect.poll(async () => (await call("GET /v1/config/desk?fresh=true")).body.limit).toEqual({ b: 1 });
    await settled(page);

    await page.getByLabel("Value of theme").fill("mine");
    await call("PATCH /v1/config/desk", { json: { theme: "theirs", size: 9 } });
    await page.getByRole("button", { name: "Save" }).click();
    await says(page, "Somebody else changed it");
    await page.getByRole("button", { name: "Keep mine, on top of theirs" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await expect.poll(async () => (await call("GET /v1/config/desk?fresh=true")).body).toMatchObject({ theme: "mine", size: 9 });

    await page.getByRole("button", { name: "Roll back to 1" }).click();
    await page.getByRole("button", { name: "Roll back to 1: sure?" }).click();
    await expect.poll(async () => (await call("GET /v1/config/desk?fresh=true")).body).toEqual({ theme: "light", size: 3, on: true, list: [1] });
    expect(wrong).toEqual([]);
    await close();
  });

  test("leaderboards, sessions, carts, cache, limits and hashes: one change each", { timeout: 60_000 }, async () => {
    const { page, wrong, close } = await signedIn();
    await open(page, "leaderboards/main/5");
    const before = Number((await world.hash("leaderboard:user:5")).score);
    await page.getByRole("button", { name: "Report" }).click();
    await says(page, `Score ${before} is now ${before + 100}`);

    await open(page, "sessions/1");
    await page.getByRole("button", { name: "Revoke" }).first().click();
    await page.getByRole("button", { name: "Revoke: sure?" }).click();
    await expect.poll(async () => (await call("GET /v1/users/1/sessions")).body.sessions.length).toBe(1);

    await open(page, "carts/user/1");
    await page.getByLabel("Product id").fill("1008");
    await page.getByLabel("Quantity (0 removes)").fill("2");
    await page.getByRole("button", { name: "Set" }).click();
    await expect.poll(async () => (await world.hash("cart:user:1"))["product:1008"]).toBe("2");
    await says(page, "Laptop stand");

    await open(page, "cache/user/2");
    await says(page, "fresh");
    await page.getByRole("button", { name: "Drop", exact: true }).click();
    await page.getByRole("button", { name: "Drop: sure?" }).click();
    await says(page, "Nothing is stored here");
    // Looking took no lease: the next client gets it.
    expect((await call("GET /v1/cache/user/2")).headers.has("X-Cache-Lease")).toBe(true);

    await open(page, "limits/1");
    await card(page, "api:search").getByRole("button", { name: "Give back" }).click();
    await says(page, "36 of 100");

    await open(page, "hashes/user%3A2");
    await page.getByRole("button", { name: "Edit city" }).click();
    await page.getByLabel("Text", { exact: true }).fill("Utrecht");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await expect.poll(async () => (await world.hash("user:2")).city).toBe("Utrecht");
    expect(wrong).toEqual([]);
    await close();
  });

  test("a database that refuses and a network that is gone are shown, and what was read stays", async () => {
    const { page, close } = await signedIn();
    await open(page, "products/1001");
    await says(page, "MacBook Pro");
    await world.control("POST /faults", { kind: "quota-429" });
    await card(page, "Product 1001").getByRole("button", { name: "Refresh" }).click();
    await says(page, "store_over_quota");
    await says(page, "This is what was read last");
    await says(page, "MacBook Pro");
    await page.route("**/v1/**", (route) => route.abort());
    await card(page, "Product 1001").getByRole("button", { name: "Refresh" }).click();
    await says(page, "This is what was read last");
    await says(page, "MacBook Pro");
    await says(page, "The API cannot be reached");
    await page.unroute("**/v1/**");
    await world.control("DELETE /faults");
    await card(page, "Product 1001").getByRole("button", { name: "Refresh" }).click();
    await expect.poll(() => page.getByText("This is what was read last").count()).toBe(0);
    await close();
  });

  test("is usable on a phone: nothing is wider than the screen", async () => {
    const { page, close } = await signedIn({ viewport: { width: 375, height: 700 } });
    for (const route of Object.keys(pages)) {
      await open(page, route);
      expect(await page.evaluate("document.documentElement.scrollWidth"), route).toBeLessThanOrEqual(375);
    }
    await page.goto(`${url}/docs`);
    expect(await page.evaluate("document.documentElement.scrollWidth"), "/docs").toBeLessThanOrEqual(375);
    await close();
  });

  test("runs none of 40 hostile texts in any field it shows", { timeout: 120_000 }, async () => {
    expect(payloads).toHaveLength(40);
    const many = Object.fromEntries(payloads.map((text, i) => [`f${i}`, text]));
    const { redis } = world;
    const flat = Object.entries(many).flat();
    // Written past the API, which would refuse some of them.
    for (const text of payloads.slice(0, 12)) await redis("HSET", `x:${text}`, "a", text, text, "b");
    await redis("HSET", "product:xss", "name", payloads[0]!, "price", "1.00", "stock", "1", "category", payloads[1]!, ...flat);
    await redis("HSET", "user:xss", "username", payloads[2]!, "email", payloads[3]!, "avatar", "javascript:executed(1)", ...flat);
    await redis("HSET", "config:xss", ...flat);
    await redis("HSET", "api:xss:response:1", ...flat);
    await redis("EXPIRE", "api:xss:response:1", 1000);
    await redis("HSET", "cart:user:xss", "product:xss", "1");
    await redis("HSET", "ratelimit:user:xss", ...payloads.flatMap((text) => [text, "1"]));
    for (const [i, text] of payloads.entries()) await call(`PUT /v1/leaderboards/xss/players/p${i}`, { json: { username: text } });
    for (const text of payloads.slice(0, 8)) {
      await call("POST /v1/sessions", { json: { user_id: "xss", user_agent: text, username: text, data: { note: text } } });
      await call("PATCH /v1/config/xss", { json: { f1: text }, headers: { "X-Reason": text.replaceAll(/[^\x20-\x7e]/g, "") } });
    }
    const { page, wrong, close } = await signedIn();
    const routes =
      "products products/xss profiles/xss leaderboards/xss leaderboards/xss/p3 sessions/xss config/xss carts/user/xss cache/xss/1 limits/xss hashes";
    let shown = 0;
    for (const route of [
      ...routes.split(" "),
      "hashes/config%3Axss",
      ...payloads.slice(0, 12).map((text) => `hashes/${encodeURIComponent(`x:${text}`)}`),
    ]) {
      await open(page, route);
      for (const summary of await page.locator("summary").all()) if (shown++ < 200) await summary.click().catch(() => {});
      const texts: string = await page.evaluate(
        `document.body.innerText + [...document.querySelectorAll("input, textarea")].map((field) => field.value).join(" ")`,
      );
      if (/^(products\/xss|config|cache|hashes\/)/.test(route)) expect(texts, route).toContain("executed");
      expect(
        await page.evaluate(`document.querySelectorAll("main script, main iframe, main img, main object, main [onerror], main [onload]").length`),
      ).toBe(0);
    }
    // As addresses too.
    for (const text of payloads) await open(page, `products/${encodeURIComponent(text)}`);
    await settled(page);
    expect(wrong.filter((what) => !/^console: Failed to load resource/.test(what))).toEqual([]);
    await close();
  });
});
