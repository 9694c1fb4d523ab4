/** Profiles: look one up by id, name or address, and change it without overwriting what others changed. */
import { useState } from "preact/hooks";
import { type Answer, at, type Problem, type Request, send } from "../api.ts";
import { go, useGet } from "../hooks.ts";
import { Card, Change, Choice, Conflict, Field, Lookup, Page, Shown, show, Trouble, Value } from "../parts.tsx";
import type { PageProps } from "../route.ts";

const kinds = ["id", "username", "email"] as const;
/** Known fields that may be changed here, and whether they may be absent. */
const editable = ["username", "email", "first_name", "last_name", "avatar", "bio"];
const fixed = new Set(["id", "joined", "verified"]);

export function Profiles({ route }: PageProps) {
  const [id = ""] = route;
  const [kind, setKind] = useState<string>("id");
  const [wanted, setWanted] = useState(id);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function find() {
    setProblem(null);
    if (kind === "id") return go("profiles", wanted.trim());
    const answer = await send({ method: "GET", path: `/v1/profiles?${kind}=${encodeURIComponent(wanted.trim())}` });
    if (answer.ok) go("profiles", answer.body.id);
    else setProblem(answer.problem);
  }
  return (
    <Page title="Profiles" intro="A change is saved only when nobody else changed the profile since you read it.">
      <Lookup onSubmit={() => void find()} label="Find">
        <Choice label="By" value={kind} options={kinds} onInput={setKind} />
        <Field label="Value" value={wanted} onInput={setWanted} placeholder="1" />
      </Lookup>
      {problem && <Trouble problem={problem} />}
      {id && <One key={id} id={id} />}
      {!id && !problem && <p class="empty">Say whose profile. The demo makes the ids 1 to 6.</p>}
    </Page>
  );
}

function One({ id }: { id: string }) {
  const profile = useGet(at`/v1/profiles/${id}`);
  const [saved, setSaved] = useState("");
  const onSaved = (what: string) => {
    setSaved(what);
    void profile.reload();
  };
  return (
    <Card title={`Profile ${id}`}>
      <Shown of={profile} missing="No profile has this id.">
        {(answer) => <Editor key={answer.headers.get("ETag")} id={id} answer={answer} reload={profile.reload} onSaved={onSaved} />}
      </Shown>
      <div role="status">{saved && <p class="notice good">{saved}</p>}</div>
    </Card>
  );
}

type EditorProps = { id: string; answer: Answer; reload: () => Promise<void>; onSaved: (what: string) => void };

function Editor({ id, answer, reload, onSaved }: EditorProps) {
  const path = at`/v1/profiles/${id}`;
  const read = answer.body as Record<string, unknown>;
  const [base, setBase] = useState({ fields: read, etag: answer.headers.get("ETag") ?? "" });
  const custom = Object.keys(base.fields).filter((name) => !fixed.has(name) && !editable.includes(name));
  const names = [...editable, ...custom];
  const textsOf = (fields: Record<string, unknown>) => Object.fromEntries(names.map((name) => [name, show(fields[name])]));
  const [texts, setTexts] = useState(() => textsOf(read));
  const [theirs, setTheirs] = useState<{ fields: Record<string, unknown>; etag: string } | null>(null);

  const changes: Record<string, unknown> = {};
  for (const name of names) {
    const text = texts[name] ?? "";
    if (text === show(base.fields[name])) continue;
    changes[name] = text === "" && name !== "username" && name !== "email" ? null : typed(text, base.fields[name]);
  }
  const request: Request | null = Object.keys(changes).length ? { method: "PATCH", path, headers: { "If-Match": base.etag }, body: changes } : null;

  function onRefused({ status }: Answer): boolean {
    if (status !== 412) return false;
    void send({ method: "GET", path }).then((now) => now.ok && setTheirs({ fields: now.body, etag: now.headers.get("ETag") ?? "" }));
    return true;
  }

  return (
    <>
      <p>
        {base.fields.verified === true ? <span class="badge good">verified</span> : <span class="badge">not verified</span>} joined{" "}
        <Value of={base.fields.joined} />
      </p>
      {theirs && (
        <Conflict mine={{ ...base.fields, ...changes }} theirs={theirs.fields} onTheirs={() => void reload()}>
          <button
            type="button"
            onClick={() => {
              // What was not changed here becomes theirs.
              setTexts((all) => ({
                ...all,
                ...Object.fromEntries(names.filter((name) => !(name in changes)).map((name) => [name, show(theirs.fields[name])])),
              }));
              setBase(theirs);
              setTheirs(null);
            }}
          >
            Keep mine, on top of theirs
          </button>
        </Conflict>
      )}
      <Change label="Save" request={request} onRefused={onRefused} onDone={() => onSaved("Saved.")}>
        {names.map((name) => (
          <Field key={name} label={name} value={texts[name] ?? ""} onInput={(text) => setTexts((all) => ({ ...all, [name]: text }))} />
        ))}
      </Change>
      <Change
        label={base.fields.verified === true ? "Take the verification back" : "Verify"}
        request={{ method: "PUT", path: `${path}/verified`, body: { verified: base.fields.verified !== true } }}
        onDone={({ body }) => onSaved(body.verified ? "Verified." : "Not verified any more.")}
      />
    </>
  );
}

/** A text as the type that the field had. */
function typed(text: string, before: unknown): unknown {
  if (typeof before === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  if (typeof before === "number" && text !== "" && String(Number(text)) === text) return Number(text);
  return text;
}
