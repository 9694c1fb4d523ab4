/** Rate limits of one caller, as meters. */
import { useState } from "preact/hooks";
import { at } from "../api.ts";
import { go, useGet } from "../hooks.ts";
import { Card, Change, Empty, Field, Lookup, lasts, Page, Shown } from "../parts.tsx";
import type { PageProps } from "../route.ts";

type Use = { endpoint: string; used: number; reset_in: number | null };

export function Limits({ route }: PageProps) {
  const [id = ""] = route;
  const [wanted, setWanted] = useState(id);
  return (
    <Page title="Rate limits" intro="How often each endpoint was used in its current window. Looking spends nothing.">
      <Lookup onSubmit={() => go("limits", wanted.trim())}>
        <Field label="Id" value={wanted} onInput={setWanted} placeholder="1" />
      </Lookup>
      {id ? <One key={id} id={id} /> : <Empty>Say whose limits. The demo uses some of user 1.</Empty>}
    </Page>
  );
}

function One({ id }: { id: string }) {
  const path = at`/v1/rate-limits/${id}`;
  const uses = useGet(path);
  const reload = () => void uses.reload();
  return (
    <>
      <Shown of={uses}>
        {({ body }) =>
          body.policies.length === 0 ? (
            <Empty>No window is open.</Empty>
          ) : (
            body.policies.map((use: Use) => <Meter key={use.endpoint} path={path} use={use} reload={reload} />)
          )
        }
      </Shown>
      {uses.data && uses.data.body.policies.length > 0 && (
        <Card title="All endpoints">
          <Change label="Reset all" danger request={{ method: "DELETE", path }} onDone={reload} />
        </Card>
      )}
    </>
  );
}

/** The limit is part of each call, not of the data: say it to see how full the window is. */
function Meter({ path, use, reload }: { path: string; use: Use; reload: () => void }) {
  const [limit, setLimit] = useState(String(Math.max(5, 10 ** Math.ceil(Math.log10(use.used + 1)))));
  const [cost, setCost] = useState("1");
  const most = Math.max(1, Number(limit) || 1);
  const share = use.used / most;
  return (
    <Card title={use.endpoint}>
      <div class="row middle">
        <meter
          aria-label={`Uses of ${use.endpoint}`}
          min={0}
          max={most}
          low={most * 0.7}
          high={most * 0.9}
          optimum={0}
          value={Math.min(use.used, most)}
        />
        <span class={share >= 1 ? "badge bad" : share >= 0.7 ? "badge warn" : "badge good"}>
          {use.used} of {most}
        </span>
        <span class="note">{use.reset_in === null ? "its window has no end" : `starts anew in ${lasts(use.reset_in)}`}</span>
        <Field label="Limit to compare with" inputmode="numeric" value={limit} onInput={setLimit} />
      </div>
      <Change
        label="Give back"
        request={
          /^[1-9]\d{0,8}$/.test(cost) ? { method: "POST", path: `${path}/refund`, body: { endpoint: use.endpoint, cost: Number(cost) } } : null
        }
        onDone={reload}
      >
        <Field label="Uses" inputmode="numeric" value={cost} onInput={setCost} />
      </Change>
      <Change label="Reset" danger request={{ method: "DELETE", path: `${path}?endpoint=${encodeURIComponent(use.endpoint)}` }} onDone={reload} />
    </Card>
  );
}
