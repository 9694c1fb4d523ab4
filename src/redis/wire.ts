/**
 * The connection of one request to an Upstash database. @upstash/redis gives the typed commands. Our requester carries
 * them over `fetch`: it counts hops, bounds their time, carries the sync token, refuses redirects and sends the source of
 * a script that the server lacks. Its errors contain no text from a caller or from Redis.
 */
import { createHash } from "node:crypto";
import { type Requester, Redis as Upstash, type UpstashRequest } from "@upstash/redis/cloudflare";
import { type Layer, scripts } from "./compose.ts";
import { malformed, StoreError, storeErrorFrom, storeErrorIn } from "./error.ts";

export type RedisConfig = { url: string; token: string };

/** The cost of one request so far. `replayed` is true when an operation was answered from its record. */
export type Meter = { hops: number; waitedMs: number; replayed: boolean };

export type Redis = {
  /** The commands; each call, and each pipeline, is one hop. */
  readonly client: Client;
  /** Carries the commands. Checks, shares and counters wrap it: see {@link over}. */
  readonly requester: Requester;
  /** The checks in front of whatever goes through `requester`, and the requester behind them: see check.ts. */
  readonly checks: { readonly layers: readonly Layer[]; readonly bare: Requester };
  /** Identifies the database without revealing its token. An isolate's memory is separate for each: see memory.ts. */
  readonly database: string;
  readonly meter: Meter;
  /** Upstash's token for the last state that this request read or wrote; before its first hop, the caller's token. */
  syncToken(): string;
  /** Read a state at least as new as this token's, unless the request has a token already. */
  readAtLeast(token: string): void;
  /** How many milliseconds all further hops may take together. The time runs from the first hop on. */
  leftMs(): number;
};

/** Each setting avoids a measured fault of the default; test/client.test.ts holds them. */
export const clientSettings = {
  automaticDeserialization: false, // "1e3" would become 1000, "null" a missing value, and ids over 2^53 would be rounded
  enableAutoPipelining: false, // one bad command would reject the others of the same tick
  enableTelemetry: false,
} as const;

/** @upstash/redis over our requester, which takes the place of its HTTP client. */
export class Client extends Upstash {
  constructor(requester: Requester) {
    super({ url: "https://unused.invalid", token: "unused", ...clientSettings });
    this.client = requester;
  }
}

/** The same connection on another requester. Without `checks` its requests are not checked. */
export function over(requester: Requester, redis: Omit<Redis, "client" | "requester" | "checks">, checks?: Redis["checks"]): Redis {
  const { database, meter, syncToken, readAtLeast, leftMs } = redis;
  let client: Client | undefined; // many requests make no hop
  return {
    get client() {
      client ??= new Client(requester);
      return client;
    },
    requester,
    checks: checks ?? { layers: [], bare: requester },
    ...{ database, meter, syncToken, readAtLeast, leftMs },
  };
}

export type Command = (string | number)[];
export type Answer = { result?: unknown; error?: string };

export const isPipeline = ({ path }: UpstashRequest): boolean => path?.[0] === "pipeline";

/** The commands of a request: one, or those of a pipeline. */
export const commandsOf = (request: UpstashRequest): Command[] => (isPipeline(request) ? request.body : [request.body]) as Command[];

/** Give the answers the shape that the client expects for this request. @throws {StoreError} when a single command failed */
export function answerTo(request: UpstashRequest, answers: Answer[]): never {
  if (isPipeline(request)) return answers as never;
  const [answer] = answers;
  if (answer?.error !== undefined) throw storeErrorIn(answer.error, commandsOf(request).some(mayWrite));
  return answer as never;
}

const reads = new Set(
  (
    "PING EXISTS TTL PTTL GET MGET SCAN HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HTTL HRANDFIELD HSCAN " +
    "ZRANGE ZRANGEBYSCORE ZREVRANK ZSCORE ZMSCORE ZCARD ZSCAN EVAL_RO EVALSHA_RO"
  ).split(" "),
);

/** Does this command only read? A command that is not in the list counts as a write, which is safe. */
export const isRead = ([name]: Command): boolean => reads.has(String(name).toUpperCase());

/** Does a lost answer to this command leave open whether it took effect? */
const mayWrite = (command: Command): boolean => !isRead(command) && (scripts.get(String(command[1]))?.writes ?? true);

/** The time limit of one hop in milliseconds, when `REDIS_TIMEOUT_MS` sets no other. */
export const defaultTimeoutMs = 1500;

/**
 * Open the database for one request. All its hops together take at most twice `timeoutMs`, from the first one on.
 * @param syncToken the caller's `X-Sync-Token`, or ""
 */
export function connect({ url, token }: RedisConfig, { timeoutMs = defaultTimeoutMs, syncToken = "" } = {}): Redis {
  const address = url?.replace(/\/$/, "");
  const meter: Meter = { hops: 0, waitedMs: 0, replayed: false };
  let deadline: number | undefined;
  const leftMs = () => (deadline === undefined ? 2 * timeoutMs : deadline - Date.now());

  async function hop(request: UpstashRequest, commands: Command[], writes: boolean): Promise<Answer[]> {
    const startedAt = Date.now();
    deadline ??= startedAt + 2 * timeoutMs;
    const budgetMs = Math.min(timeoutMs, leftMs());
    if (budgetMs <= 0) throw new StoreError("store_timeout", "no"); // this hop was never sent
    meter.hops += 1;
    try {
      const response = await fetch([address, ...(request.path ?? [])].join("/"), {
        method: "POST",
        redirect: "manual", // a redirect would carry the token to another host
        signal: AbortSignal.timeout(budgetMs),
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...(syncToken && { "Upstash-Sync-Token": syncToken }) },
        body: JSON.stringify(isPipeline(request) ? commands : commands[0]),
      });
      const answers = answersIn(await response.text(), response.ok, isPipeline(request), commands.length, writes);
      syncToken = response.headers.get("Upstash-Sync-Token") ?? syncToken;
      return answers;
    } catch (error) {
      throw storeErrorFrom(error, writes);
    } finally {
      meter.waitedMs += Date.now() - startedAt;
    }
  }

  /** Send the commands. Those with a script that the server lacks are sent again with its source, in one second hop. */
  async function send(request: UpstashRequest): Promise<never> {
    const commands = commandsOf(request);
    const writes = commands.some(mayWrite);
    const answers = await hop(request, commands, writes);
    const missing = [...commands.keys()].filter((i) => answers[i]!.error?.startsWith("NOSCRIPT") && scripts.has(String(commands[i]![1])));
    if (missing.length) {
      const sources = missing.map((i) => withSource(commands[i]!));
      const again = await hop(request, sources, writes);
      for (const [i, at] of missing.entries()) answers[at] = again[i]!;
    }
    return answerTo(request, answers);
  }

  return over(
    { request: send },
    {
      database: databaseOf(address, token),
      meter,
      syncToken: () => syncToken,
      readAtLeast(token) {
        syncToken ||= token;
      },
      leftMs,
    },
  );
}

/** EVALSHA or EVALSHA_RO as EVAL or EVAL_RO. */
const withSource = ([name, sha, ...rest]: Command): Command => [String(name).replace(/sha/i, ""), scripts.get(String(sha))!.source, ...rest];

let named = { url: "", token: "", database: "" };

/** The address and a SHA-256 of the token, because several databases may share an address. The last one is kept. */
function databaseOf(url: string, token: string): string {
  if (named.url !== url || named.token !== token)
    named = { url, token, database: `${url} ${createHash("sha256").update(String(token)).digest("base64url")}` };
  return named.database;
}

/** Parse the answers in a body: one answer for a single command, a list for a pipeline. @throws {StoreError} when it has another shape */
function answersIn(body: string, isOk: boolean, isList: boolean, length: number, writes: boolean): Answer[] {
  const parsed = parse(body);
  const { error } = Object(parsed) as Answer;
  if (!isOk && isList && typeof error === "string") throw storeErrorIn(error, writes);
  if (!isOk && typeof error !== "string") throw malformed(writes);
  const answers: unknown = isList ? parsed : [parsed];
  const fits =
    Array.isArray(answers) &&
    answers.length === length &&
    answers.every((item) => Object(item).result !== undefined || typeof Object(item).error === "string");
  if (!fits) throw malformed(writes);
  return answers as Answer[];
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
