/** Debian's Chromium, for tests of what people see. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";

const executablePath = "/usr/bin/chromium";
/** Without Chromium these tests are left out, but never in CI. */
export const hasChromium = existsSync(executablePath) || Boolean(process.env.CI);

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"];

/** Start it with a profile of its own; it ends with the test file. */
export async function startBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, headless: true, args: [...args, "--disable-sync"] });
  afterAll(() => browser.close());
  return browser;
}

/** What a page must never do: run what was data, break its policy, ask another host, throw. */
export async function watched(browser: Browser, origin: string, options: Parameters<Browser["newContext"]>[0] = {}) {
  const context = await browser.newContext(options);
  const wrong: string[] = [];
  await context.exposeFunction("executed", (what: string) => wrong.push(`executed: ${what}`));
  await context.addInitScript(`
    document.addEventListener("securitypolicyviolation", (event) => executed("CSP " + event.violatedDirective));
    window.alert = () => executed("alert");
  `);
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/the server responded with a status of 4/.test(message.text())) wrong.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) wrong.push(`request: ${request.url()}`);
  });
  return { page, wrong, close: () => context.close() };
}

/** Open a page of the console by its address after `#/`, without a reload (which would sign out). */
export async function open(page: Page, route: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${route}`)}`);
  await settled(page);
}

const isSettled = `Boolean(document.querySelector("main h1")) &&
  ![...document.querySelectorAll('[role="status"]')].some((node) => node.textContent.includes("Loading"))`;

/** Wait until nothing is being read any more. Not by waitForFunction, which the page's policy forbids. */
export async function settled(page: Page): Promise<void> {
  for (let i = 0; i < 400; i++) {
    await page.evaluate("new Promise(requestAnimationFrame)");
    if (await page.evaluate(isSettled)) return;
  }
  throw new Error("the page never settled");
}
