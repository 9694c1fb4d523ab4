/** Cached responses. Looking takes no lease: the fields are read from the hash, age and state by HEAD. */
import { useState } from "preact/hooks";
import { type Answer, at, send } from "../api.ts";
import { go, useLoad } from "../hooks.ts";
import { Card, Change, Empty, Field, Lookup, lasts, Page, Shown } from "../parts.tsx";
import type { PageProps } from "../route.ts";
import { Facts } from "./products.tsx";

export function Cache({ route }: PageProps) {
  const [name = "", id = ""] = route;
  const [wantedName, setName] = useState(name);
  const [wanted, setWanted] = useState(id);
  const [tags, setTags] = useState("");
  const list = tags.split(/[\s,]+/).filter(Boolean);
  return (
    <Page title="Cached responses" intro="Looking at an entry here never takes the lease of a client that should refill it.">
      <Lookup onSubmit={() => go("cache", wantedName.trim(), wanted.trim())}>
        <Field label="Name" value={wantedName} onInput={setName} placeholder="user" />
        <Field label="Id" value={wanted} onInput={setWanted} placeholder="1" />
      </Lookup>
      {name && id ? (
        <One key={`${name}/${id}`} name={name} id={id} />
      ) : (
        <Empty>Say which response. The demo stores user/1, user/2 and front/home.</Empty>
      )}
      <Card title="Drop by tag">
        <Change
          label="Drop all with these tags"
          danger
          request={list.length ? { method: "POST", path: "/v1/cache/invalidate", body: { tags: list } } : null}
        >
          <Field label="Tags, separated by commas" value={tags} onInput={setTags} placeholder="users, products" />
        </Change>
      </Card>
    </Page>
  );
}

function One({ name, id }: { name: string; id: string }) {
  const path = at`/v1/cache/${name}/${id}`;
  const key = at`/v1/hashes/${`api:${name}:response:${id}`}`;
  const entry = useLoad(path, async () => {
    const head = await send({ method: "HEAD", path });
    if (!head.ok) {
      const problem =
        head.status === 404 ? { code: "cache_miss", title: "Cache miss", detail: "Nothing is stored here.", status: 404 } : head.problem;
      return { ...head, problem };
    }
    const [hash, ttl] = await Promise.all([send({ method: "GET", path: key }), send({ method: "GET", path: `${key}/ttl` })]);
    if (!hash.ok) return hash;
    return { data: { fields: hash.body, age: head.headers.get("Age"), state: head.headers.get("X-Cache"), seconds: ttl.body?.seconds ?? null } };
  });
  const [seen, setSeen] = useState<Answer | null>(null);
  const lease = seen?.headers.get("X-Cache-Lease");
  return (
    <Card title={`${name}/${id}`}>
      <Shown of={entry} missing="Nothing is stored here. The next client that asks gets the lease to fill it.">
        {({ fields, age, state, seconds }) => (
          <>
            <p>
              <span class={`badge ${state === "fresh" ? "good" : "warn"}`}>{state ?? "unknown"}</span>{" "}
              {age ? `${lasts(Number(age))} old` : "of unknown age"}, gone in {lasts(seconds)}
            </p>
            <Facts of={fields} />
          </>
        )}
      </Shown>
      <div class="row">
        <button type="button" onClick={() => void send({ method: "GET", path }).then(setSeen)}>
          Read as a client would
        </button>
        <span role="status">
          {seen &&
            (lease ? (
              <>
                {seen.status}, and we hold the lease <code>{lease}</code> now
              </>
            ) : (
              `${seen.status}, without a lease${seen.status === 404 ? ": another client holds it" : ""}`
            ))}
        </span>
      </div>
      <Change label="Drop" danger request={{ method: "DELETE", path }} onDone={() => void entry.reload()} />
    </Card>
  );
}
