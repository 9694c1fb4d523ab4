/** The pages for people: where to go, the API reference, the problems. Plain HTML made from the same data as the JSON. */
import { clientOf, curlOf, exampleOf, fetchOf, type Operation, sample } from "./examples.ts";

type Problem = { code: string; status: number; meaning: string };
type Document = { info: { version: string; description: string }; paths: Record<string, Record<string, unknown>> };

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char]!);
/** Text with `code`. */
const prose = (text: string) => escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
const block = (text: string, label: string) => `<pre tabindex="0" aria-label="${label}"><code>${escapeHtml(text)}</code></pre>`;

const page = (title: string, body: string) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${title}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/console/pages.css"></head>
<body>${body}</body></html>
`;

export const problemsPage = (list: Problem[]) =>
  page(
    "onehop: problems",
    `<main><p><a href="/">onehop</a> · <a href="/docs">API reference</a></p><h1>Problems</h1>
<p>Every code that an answer in application/problem+json (RFC 9457) may carry.</p><dl>
${list.map(({ code, status, meaning }) => `<dt id="${code}"><code>${code}</code> (${status})</dt><dd>${prose(meaning)}</dd>`).join("\n")}
</dl></main>`,
  );

export const landingPage = (description: string, version: string) =>
  page(
    "onehop",
    `<main><h1>onehop</h1><p>${escapeHtml(description)}</p>
<p>Each request is one atomic hop to Redis, each write happens exactly once, and the data stays plain hashes that other services read and write too.</p>
<ul class="ways">
<li><a href="/console">Console</a>Look into the data and change it, with an API key.</li>
<li><a href="/docs">API reference</a>Every call with its parameters, answers and a working example.</li>
<li><a href="/openapi.json">OpenAPI document</a>The same for machines.</li>
<li><a href="/problems">Problems</a>What each error code means.</li>
<li><a href="/health">Health</a>Whether the Worker lives.</li>
</ul><p class="soft">Version ${escapeHtml(version)}. New here? In development <code>npm run demo</code> fills a small shop, and the API key is <code>dev-key</code>.</p></main>`,
  );

/** The README's table of the seed's commands, with the calls of each. */
export const seedTable = (readme: string): string[][] =>
  readme
    .slice(readme.indexOf("| the seed |"))
    .split("\n\n")[0]!
    .split("\n")
    .filter((line, i) => i !== 1 && line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );

function seedHtml([head, ...rows]: string[][]): string {
  const cells = (row: string[]) => row.map((cell) => `<td>${prose(cell)}</td>`).join("");
  const names = head!.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
  return `<div class="scroll" tabindex="0" role="region" aria-label="The seed's commands"><table><thead><tr>${names}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("")}</tbody></table></div>`;
}

export function docsPage(document: Document, readme: string): string {
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation: operation as Operation })),
  );
  const groups = [...Map.groupBy(calls, ({ operation }) => operation.tags[0]!)];
  const contents = groups.map(
    ([tag, list]) =>
      `<p><a href="#${tag}">${tag}</a></p><ul>${list.map(({ operation }) => `<li><a href="#${operation.operationId}">${escapeHtml(operation.summary)}</a></li>`).join("")}</ul>`,
  );
  const sections = groups.map(([tag, list]) => `<section><h2 id="${tag}">${tag}</h2>${list.map(callHtml).join("\n")}</section>`);
  return page(
    "onehop: API reference",
    `<div class="reference"><nav aria-label="Calls"><p><a href="/">onehop</a></p><ul><li><a href="#every-call">Every call</a></li><li><a href="#redis-commands">Redis commands as calls</a></li><li><a href="/problems">Problems</a></li></ul>${contents.join("")}</nav>
<main><h1>API reference</h1><p>${prose(document.info.description)} Version ${escapeHtml(document.info.version)};
for machines: <a href="/openapi.json">/openapi.json</a>.</p>
<h2 id="every-call">Every call</h2>
<ul><li>Send <code>Authorization: Bearer &lt;API key&gt;</code>.</li>
<li>A write takes <code>Idempotency-Key</code>: a repeat gets the first answer again for 24 hours. It takes <code>If-Match</code> and <code>If-None-Match</code> too.</li>
<li>Send the <code>X-Sync-Token</code> of an answer back to read at least its state.</li>
<li>An error is a problem with a <code>code</code>: <a href="/problems">all codes</a>.</li>
<li><code>Server-Timing</code> says how many hops to Redis a call took.</li></ul>
<p>The examples take <code>ONEHOP_URL</code> and <code>API_KEY</code> from the environment, in JavaScript <code>url</code> and <code>apiKey</code>;
what an end user may do with a session takes <code>SESSION_TOKEN</code> and <code>sessionToken</code> in place of the key.
The typed client is made once, with <code>const { v1 } = createClient(url, { token: apiKey })</code>. Ids in capitals come from an earlier answer.</p>
<h2 id="redis-commands">Redis commands as calls</h2>${seedHtml(seedTable(readme))}
${sections.join("\n")}</main></div>`,
  );
}

/** Headers that every call takes are told once, at the top. */
const everywhere = new Set(["X-Sync-Token", "X-Request-Id", "If-None-Match", "If-Match", "Idempotency-Key"]);

function callHtml({ method, path, operation }: { method: string; path: string; operation: Operation }): string {
  const example = exampleOf(method, path, operation);
  const parameters = operation.parameters.filter(({ name }) => !everywhere.has(name));
  const answers = Object.entries(operation.responses);
  const successes = answers.filter(([status]) => status < "300");
  const refusals = answers.filter(([status]) => status >= "300");
  return `<article class="call" id="${operation.operationId}"><h3>${escapeHtml(operation.summary)}</h3>
<p class="line"><code>${method} ${escapeHtml(path)}</code></p><p>${prose(operation.description)}</p>
${parameters.length ? `<h4>Parameters</h4><div class="scroll"><table><thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">What</th></tr></thead><tbody>${parameters.map(({ name, in: where, required, schema }) => `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td>${where}</td><td>${required ? "required, " : ""}${kindOf(schema)}</td></tr>`).join("")}</tbody></table></div>` : ""}
${operation.requestBody ? bodyHtml(Object.values(operation.requestBody.content)[0]!.schema) : ""}
<h4>Example</h4>${block(curlOf(example), "curl")}
<details><summary>Typed client</summary>${block(clientOf(example), "Typed client")}</details>
<details><summary>fetch</summary>${block(fetchOf(example), "fetch")}</details>
<h4>Answers</h4>${successes.map(([status, { description, content }]) => `<p><strong>${status}</strong> ${escapeHtml(description)}</p>${content ? answerHtml(Object.values(content)[0]!.schema) : ""}`).join("")}
<details><summary>Refusals: ${refusals.map(([status]) => status).join(", ")}</summary><dl>${refusals
    .map(
      ([status, { description }]) =>
        `<dt>${status}</dt>${description
          .split("\n\n")
          .map((line) => `<dd>${linked(line)}</dd>`)
          .join("")}`,
    )
    .join("")}</dl></details></article>`;
}

/** The schema as a table of fields, for objects. */
function bodyHtml(schema: Operation["responses"][string] & Record<string, never>): string {
  const variants = ((schema as { anyOf?: Schema[] }).anyOf ?? [schema]) as Schema[];
  const tables = variants.flatMap((variant) => {
    const fields = Object.entries(variant.properties ?? {}).filter(([, field]) => !("not" in field));
    const rows = fields.map(
      ([name, field]) =>
        `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td>${variant.required?.includes(name) ? "required, " : ""}${kindOf(field)}</td></tr>`,
    );
    const more = variant.additionalProperties && typeof variant.additionalProperties === "object";
    if (more) rows.push(`<tr><th scope="row">others</th><td>${kindOf(variant.additionalProperties as Schema)}</td></tr>`);
    return rows.length
      ? [
          `<div class="scroll"><table><thead><tr><th scope="col">Field</th><th scope="col">What</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`,
        ]
      : [];
  });
  return `<h4>Body</h4>${tables.join("<p>or</p>") || "<p>A JSON object.</p>"}`;
}

type Schema = {
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: unknown;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  items?: Schema;
};

function kindOf(schema: Schema): string {
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => `<code>${escapeHtml(JSON.stringify(value))}</code>`).join(" or ");
  if ("const" in schema) return `<code>${escapeHtml(JSON.stringify(schema.const))}</code>`;
  const parts = [schema.type === "array" ? `list of ${schema.items ? kindOf(schema.items) : "values"}` : (schema.type ?? "any JSON value")];
  if (schema.minimum !== undefined || schema.maximum !== undefined) parts.push(`${schema.minimum ?? ""} … ${schema.maximum ?? ""}`);
  if (schema.maxLength !== undefined) parts.push(`up to ${schema.maxLength} characters`);
  if (schema.maxItems !== undefined) parts.push(`up to ${schema.maxItems}`);
  if (schema.pattern) parts.push(`matches <code>${escapeHtml(schema.pattern)}</code>`);
  if (schema.default !== undefined) parts.push(`<code>${escapeHtml(JSON.stringify(schema.default))}</code> unless given`);
  return parts.join(", ");
}

const answerHtml = (schema: unknown) => block(JSON.stringify(sample(schema), null, 2), "Shape of the answer");

/** `code`: meaning, with a link to the code's place on /problems. */
const linked = (line: string) =>
  /^`\w+`:/.test(line)
    ? line.replace(/^`(\w+)`: (.*)$/s, (_, code, meaning) => `<a href="/problems#${code}">${code}</a>: ${prose(meaning)}`)
    : prose(line);
