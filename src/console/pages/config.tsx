/** Config: typed values to edit, what would change before it is saved, and every version with a way back. */
import { useState } from "preact/hooks";
import { type Answer, at, type Request, send } from "../api.ts";
import { go, useGet } from "../hooks.ts";
import { Card, Change, Conflict, Empty, Field, Lookup, Page, Shown, Table, Value } from "../parts.tsx";
import type { PageProps } from "../route.ts";

type Values = Record<string, unknown>;
type Row = { type: Kind; text: string; gone?: boolean };
type Version = { version: number; at: string; by: string; reason: string | null; changes: Record<string, [unknown, unknown]> };

const kinds = ["text", "number", "boolean", "json"] as const;
type Kind = (typeof kinds)[number];

const rowOf = (value: unknown): Row =>
  typeof value === "string"
    ? { type: "text", text: value }
    : typeof value === "number"
      ? { type: "number", text: String(value) }
      : typeof value === "boolean"
        ? { type: "boolean", text: String(value) }
        : { type: "json", text: JSON.stringify(value) };

/** The value of a row; undefined while the text is not of its type. */
function valueIn({ type, text }: Row): unknown {
  if (type === "text") return text;
  if (type === "boolean") return text === "true";
  try {
    const value: unknown = JSON.parse(text);
    return type === "json" || typeof value === "number" ? value : undefined;
  } catch {
    return undefined;
  }
}

export function Config({ route }: PageProps) {
  const [name = ""] = route;
  const [wanted, setWanted] = useState(name || "app");
  return (
    <Page title="Config" intro="Values keep their types. Every change is a version, with who made it and why.">
      <Lookup onSubmit={() => go("config", wanted.trim())}>
        <Field label="Config" value={wanted} onInput={setWanted} />
      </Lookup>
      {name ? <One key={name} name={name} /> : <Empty>Say which config. The demo makes one called app.</Empty>}
    </Page>
  );
}

function One({ name }: { name: string }) {
  const path = at`/v1/config/${name}`;
  const config = useGet(`${path}?fresh=true`);
  const history = useGet(`${path}/history?limit=50`);
  const reload = async () => {
    await Promise.all([config.reload(), history.reload()]);
  };
  const [done, setDone] = useState("");
  const onDone = (what: string) => {
    setDone(what);
    void reload();
  };
  return (
    <>
      <Card title={`Config ${name}`}>
        <Shown of={config} missing="No config has this name.">
          {(answer) => (
            <>
              {answer.headers.get("X-Stale") && <p class="notice warn">Redis does not answer. This is the last known state.</p>}
              <Editor
                key={answer.headers.get("ETag")}
                path={path}
                answer={answer}
                reload={reload}
                onSaved={() => onDone("Saved as a new version.")}
              />
            </>
          )}
        </Shown>
        <div role="status">{done && <p class="notice good">{done}</p>}</div>
      </Card>
      <Card title="History">
        <Shown of={history}>
          {({ body }) =>
            body.history.length === 0 ? (
              <Empty>No versions yet.</Empty>
            ) : (
              <ol class="history" reversed>
                {body.history.map((version: Version, i: number) => (
                  <li key={version.version}>
                    <p>
                      <strong>Version {version.version}</strong> by <Value of={version.by} />{" "}
                      <time dateTime={version.at}>{new Date(version.at).toLocaleString()}</time>
                      {version.reason && <q>{version.reason}</q>}
                    </p>
                    <Diff of={version.changes} />
                    {i > 0 && (
                      <Change
                        label={`Roll back to ${version.version}`}
                        danger
                        request={{
                          method: "POST",
                          path: `${path}/rollback`,
                          headers: { "X-Reason": `rollback to ${version.version}` },
                          body: { version: version.version },
                        }}
                        onDone={() => onDone(`As it was after version ${version.version}.`)}
                      />
                    )}
                  </li>
                ))}
              </ol>
            )
          }
        </Shown>
      </Card>
    </>
  );
}

function Diff({ of }: { of: Record<string, [unknown, unknown]> }) {
  return (
    <ul class="diff">
      {Object.entries(of).map(([field, [before, after]]) => (
        <li key={field}>
          <code>{field}</code>
          <del>
            <Value of={before} />
          </del>
          <span class="hidden">becomes</span>
          <span aria-hidden="true">→</span>
          <ins>
            <Value of={after} />
          </ins>
        </li>
      ))}
    </ul>
  );
}

type EditorProps = { path: string; answer: Answer; reload: () => Promise<void>; onSaved: () => void };

function Editor({ path, answer, reload, onSaved }: EditorProps) {
  const [base, setBase] = useState({ values: answer.body as Values, etag: answer.headers.get("ETag") ?? "" });
  const [rows, setRows] = useState<Record<string, Row>>(() =>
    Object.fromEntries(Object.entries(answer.body as Values).map(([field, value]) => [field, rowOf(value)])),
  );
  const [added, setAdded] = useState("");
  const [who, setWho] = useState("");
  const [why, setWhy] = useState("");
  const [theirs, setTheirs] = useState<{ values: Values; etag: string } | null>(null);
  const set = (field: string, part: Partial<Row>) => setRows((all) => ({ ...all, [field]: { ...all[field]!, ...part } }));

  const changes: Record<string, [unknown, unknown]> = {};
  const body: Values = {};
  let broken = false;
  for (const [field, row] of Object.entries(rows)) {
    const before = base.values[field];
    const after = row.gone ? undefined : valueIn(row);
    if (!row.gone && after === undefined) broken = true;
    if (JSON.stringify(after) === JSON.stringify(before)) continue;
    changes[field] = [before, after];
    body[field] = row.gone ? null : after;
  }
  const headers = { "If-Match": base.etag, ...(who && { "X-Actor": who }), ...(why && { "X-Reason": why }) };
  // A merge patch cannot say a null, nor that a member of an object goes: then the whole config is replaced.
  const mergeable = Object.values(changes).every(
    ([, after]) => after === undefined || (after !== null && (typeof after !== "object" || Array.isArray(after))),
  );
  const mine = Object.fromEntries(Object.entries(rows).flatMap(([field, row]) => (row.gone ? [] : [[field, valueIn(row)]])));
  const change = mergeable ? { method: "PATCH", path, headers, body } : { method: "PUT", path, headers, body: mine };
  const request: Request | null = !broken && Object.keys(body).length ? change : null;

  function onRefused({ status }: Answer): boolean {
    if (status !== 412) return false;
    void send({ method: "GET", path: `${path}?fresh=true` }).then(
      (now) => now.ok && setTheirs({ values: now.body, etag: now.headers.get("ETag") ?? "" }),
    );
    return true;
  }
  const isName = /^[A-Za-z][A-Za-z0-9_.-]{0,127}$/.test(added) && !Object.hasOwn(rows, added);

  return (
    <>
      <Table caption="Values" head={["Field", "Type", "Value", ""]}>
        {Object.entries(rows).map(([field, row]) => (
          <tr key={field} class={row.gone ? "gone" : changes[field] ? "changed" : undefined}>
            <th scope="row">{field}</th>
            <td>
              <select
                aria-label={`Type of ${field}`}
                value={row.type}
                disabled={row.gone}
                onInput={(event) => set(field, { type: event.currentTarget.value as Kind })}
              >
                {kinds.map((kind) => (
                  <option key={kind} value={kind}>
                    {kind}
                  </option>
                ))}
              </select>
            </td>
            <td>
              {row.type === "boolean" ? (
                <select
                  aria-label={`Value of ${field}`}
                  value={row.text === "true" ? "true" : "false"}
                  disabled={row.gone}
                  onInput={(event) => set(field, { text: event.currentTarget.value })}
                >
                  <option value="true">true</option>
                  <option value="false">false</option>
                </select>
              ) : (
                <input
                  aria-label={`Value of ${field}`}
                  aria-invalid={!row.gone && valueIn(row) === undefined}
                  value={row.text}
                  disabled={row.gone}
                  spellcheck={false}
                  onInput={(event) => set(field, { text: event.currentTarget.value })}
                />
              )}
            </td>
            <td>
              <button
                type="button"
                class="quiet"
                aria-label={`${row.gone ? "Keep" : "Remove"} ${field}`}
                onClick={() => set(field, { gone: !row.gone })}
              >
                {row.gone ? "Keep" : "Remove"}
              </button>
            </td>
          </tr>
        ))}
      </Table>
      <div class="row">
        <Field label="New field" value={added} onInput={setAdded} />
        <button
          type="button"
          disabled={!isName}
          onClick={() => {
            setRows((all) => ({ ...all, [added]: { type: "text", text: "" } }));
            setAdded("");
          }}
        >
          Add
        </button>
      </div>
      {theirs && (
        <Conflict mine={mine} theirs={theirs.values} onTheirs={() => void reload()}>
          <button
            type="button"
            onClick={() => {
              setBase(theirs);
              // What was not changed here becomes theirs.
              const kept = Object.entries(rows).filter(([field]) => field in changes);
              setRows(Object.fromEntries([...Object.entries(theirs.values).map(([field, value]) => [field, rowOf(value)] as const), ...kept]));
              setTheirs(null);
            }}
          >
            Keep mine, on top of theirs
          </button>
        </Conflict>
      )}
      {Object.keys(changes).length > 0 && <Diff of={changes} />}
      {broken && <p class="notice warn">A value is not of its type.</p>}
      <Change label="Save" request={request} onRefused={onRefused} onDone={onSaved}>
        <Field label="Who (X-Actor)" value={who} onInput={setWho} />
        <Field label="Why (X-Reason)" value={why} onInput={setWhy} />
      </Change>
    </>
  );
}
