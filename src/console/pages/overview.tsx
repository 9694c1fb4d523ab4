/** Is it alive, what does it cost: health, and the latency and hops of the last calls as they happen. */
import { useEffect, useState } from "preact/hooks";
import { type Cost, costsNow, onCosts } from "../api.ts";
import { useGet, useOutside } from "../hooks.ts";
import { Card, Empty, Page, Table } from "../parts.tsx";

const systems: [path: string, what: string, key: string][] = [
  ["products", "Stock, prices, discounts, holds", "product:<id>"],
  ["profiles", "Who people are, unique names", "user:<id>"],
  ["leaderboards", "Scores and ranks", "leaderboard:…:user:<id>"],
  ["sessions", "Who is signed in, and from where", "session:<id>"],
  ["config", "Typed settings with history", "config:<name>"],
  ["carts", "What people mean to buy", "cart:user:<id>"],
  ["cache", "Cached responses", "api:<name>:response:<id>"],
  ["limits", "Uses in the current window", "ratelimit:user:<id>"],
  ["hashes", "Any hash, as it is stored", "any key"],
];

const pause = 2000;

export function Overview() {
  const [live, setLive] = useState(true);
  const health = useGet("/health");
  const ready = useGet("/ready");
  const { reload } = ready;
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => document.visibilityState === "visible" && void reload(), pause);
    return () => clearInterval(timer);
  }, [live, reload]);
  return (
    <Page title="Overview">
      <div class="tiles">
        <Status name="Worker" of={health} good="alive" />
        <Status name="Redis" of={ready} good="answers" />
        <Session />
      </div>
      <Card
        title="The last calls"
        actions={
          <label class="check">
            <input type="checkbox" checked={live} onInput={(event) => setLive(event.currentTarget.checked)} /> Ask /ready every 2 s
          </label>
        }
      >
        <Plot />
      </Card>
      <Card title="Systems">
        <ul class="systems">
          {systems.map(([path, what, key]) => (
            <li key={path}>
              <a href={`#/${path}`}>{path}</a>
              <span>{what}</span>
              <code>{key}</code>
            </li>
          ))}
        </ul>
      </Card>
    </Page>
  );
}

function Status({ name, of, good }: { name: string; of: ReturnType<typeof useGet>; good: string }) {
  const state = of.problem ? "bad" : of.data ? "good" : "wait";
  return (
    <div class={`tile ${state}`}>
      <span class="name">{name}</span>
      <strong>{of.problem ? of.problem.code : of.data ? good : "asking…"}</strong>
      {of.problem && <span>{of.problem.detail}</span>}
    </div>
  );
}

const middle = (numbers: number[]) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

function Session() {
  const costs = useOutside(onCosts, costsNow);
  const hopping = costs.filter(({ hops }) => hops > 0);
  return (
    <div class="tile">
      <span class="name">Median of the last {costs.length}</span>
      <strong>{middle(costs.map(({ ms }) => ms)).toFixed(0)} ms</strong>
      <span>{hopping.length ? `${(hopping.reduce((sum, { hops }) => sum + hops, 0) / hopping.length).toFixed(2)} hops a call` : "no hops yet"}</span>
    </div>
  );
}

const [width, height, left, bottom, slots] = [720, 200, 64, 26, 60];

/** A bar a call: as high as it took, as dark as it had hops; red when it was refused. */
function Plot() {
  const costs = useOutside(onCosts, costsNow);
  if (costs.length === 0) return <Empty>No calls yet.</Empty>;
  const most = Math.max(10, ...costs.map(({ ms }) => ms));
  const top = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((step) => step >= most) ?? most;
  const y = (ms: number) => height - bottom - (ms / top) * (height - bottom - 10);
  const step = (width - left) / slots;
  const last = costs.at(-1)!;
  return (
    <>
      <svg
        class="plot"
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Latency of the last ${costs.length} calls. The last took ${last.ms.toFixed(0)} ms and ${last.hops} hops.`}
      >
        {[0, top / 2, top].map((ms) => (
          <g key={ms}>
            <line class="grid" x1={left} x2={width} y1={y(ms)} y2={y(ms)} />
            <text x={left - 6} y={y(ms) + 4} text-anchor="end">
              {ms} ms
            </text>
          </g>
        ))}
        {costs.map((cost, i) => (
          <rect
            key={cost.n}
            class={kind(cost)}
            x={left + i * step + 1.5}
            width={step - 3}
            y={y(cost.ms)}
            height={Math.max(1, height - bottom - y(cost.ms))}
            rx="2"
          >
            <title>{`${cost.method} ${cost.path}: ${cost.ms.toFixed(0)} ms, ${cost.hops} hops, ${cost.status}`}</title>
          </rect>
        ))}
        <text x={left} y={height - 6}>
          older
        </text>
        <text x={width} y={height - 6} text-anchor="end">
          newer
        </text>
      </svg>
      <p class="legend">
        <span class="hop0">no hop</span> <span class="hop1">1 hop</span> <span class="hop2">2 or more</span> <span class="failed">failed</span>
      </p>
      <details>
        <summary>As a table</summary>
        <Table caption="The last calls" head={["Call", "Status", "Took", "Hops"]}>
          {costs
            .slice(-12)
            .reverse()
            .map((cost) => (
              <tr key={cost.n}>
                <td>
                  <code>
                    {cost.method} {cost.path}
                  </code>
                </td>
                <td>{cost.status || "no answer"}</td>
                <td class="number">{cost.ms.toFixed(0)} ms</td>
                <td class="number">{cost.hops}</td>
              </tr>
            ))}
        </Table>
      </details>
    </>
  );
}

const kind = ({ status, hops }: Cost) => (status === 0 || status >= 500 ? "failed" : hops === 0 ? "hop0" : hops === 1 ? "hop1" : "hop2");
