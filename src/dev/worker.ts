/** Run the built Worker (build/worker.js) in workerd through Miniflare: for `npm run dev`, tests and benchmarks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const build = join(import.meta.dirname, "../../build");
/** The date that wrangler.toml deploys with. */
const compatibilityDate = /^compatibility_date = "(.*)"$/m.exec(readFileSync(join(build, "../wrangler.toml"), "utf8"))![1]!;

/** The bundle that `npm run build` makes. */
const builtWorker = join(build, "worker.js");

export type WorkerOptions = {
  /** 0 takes any free port. */
  port?: number;
  host?: string;
  /** Path of the bundle. */
  script?: string;
  /** Vars and secrets. */
  bindings: Record<string, string>;
  /** Gets every line that the Worker logs. */
  onLog?: (message: string, level: string) => void;
};

function miniflareOptions({ port = 0, host = "127.0.0.1", bindings, onLog = () => {} }: WorkerOptions, source: string) {
  return convertV4MiniflareOptions({
    host,
    port,
    cf: false,
    handleStructuredLogs: ({ message, level }) => onLog(message, level),
    workers: [
      {
        name: "onehop",
        modules: [{ type: "ESModule", path: "worker.js", contents: source }],
        compatibilityDate,
        bindings,
        assets: {
          directory: join(build, "assets"),
          binding: "ASSETS",
          routerConfig: { invoke_user_worker_ahead_of_assets: true, has_user_worker: true },
        },
      },
    ],
  });
}

/** Start it; `reload` takes up a new build on the same address. */
export async function startWorker(options: WorkerOptions) {
  const readSource = () => readFileSync(options.script ?? builtWorker, "utf8");
  let source = readSource();
  const worker = new Miniflare(miniflareOptions(options, source));
  const url = (await worker.ready).origin;
  return {
    url,
    /** @returns false when the build is the one that runs already */
    async reload() {
      if (readSource() === source) return false;
      source = readSource();
      await worker.setOptions(miniflareOptions({ ...options, port: Number(new URL(url).port) }, source));
      return true;
    },
    close: () => worker.dispose(),
  };
}
