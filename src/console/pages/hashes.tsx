/** Any hash, exactly as it is stored. */
import { useState } from "preact/hooks";
import { at, scan } from "../api.ts";
import { go, useGet, useLoad } from "../hooks.ts";
import { Card, Change, Empty, Field, Lookup, lasts, Page, Shown, Table } from "../parts.tsx";
import type { PageProps } from "../route.ts";

export function Hashes({ route }: PageProps) {
  const key = route.join("/");
  const [match, setMatch] = useState("*");
  const [pattern, setPattern] = useState("*");
  return (
    <Page title="Raw hashes" intro="Texts as Redis holds them, whoever wrote them. Keys under hop: are ours and not shown.">
      {key ? (
        <One key={key} name={key} />
      ) : (
        <>
          <Lookup label="Scan" onSubmit={() => setPattern(match || "*")}>
            <Field label="Pattern" value={match} onInput={setMatch} placeholder="user:*" />
          </Lookup>
          <Keys key={pattern} pattern={pattern} />
        </>
      )}
    </Page>
  );
}

function Keys({ pattern }: { pattern: string }) {
  const [cursors, setCursors] = useState(["0"]);
  const cursor = cursors.at(-1)!;
  const found = useLoad(`${pattern} from ${cursor}`, () => scan(pattern, cursor));
  return (
    <Card title="Keys">
      <Shown of={found}>
        {({ keys, cursor }) => (
          <>
            {keys.length === 0 ? (
              <Empty>{cursor === "0" ? "No hash has such a key." : "None in this step; go on."}</Empty>
            ) : (
              <ul class="keys">
                {keys.map((key) => (
                  <li key={key}>
                    <a href={`#/hashes/${encodeURIComponent(key)}`}>{key}</a>
                  </li>
                ))}
              </ul>
            )}
            <div class="row">
              {cursors.length > 1 && (
                <button type="button" onClick={() => setCursors((all) => all.slice(0, -1))}>
                  Back
                </button>
              )}
              {cursor !== "0" && (
                <button type="button" onClick={() => setCursors((all) => [...all, cursor])}>
                  Next
                </button>
              )}
            </div>
          </>
        )}
      </Shown>
    </Card>
  );
}

function One({ name }: { name: string }) {
  const path = at`/v1/hashes/${name}`;
  const hash = useGet(path);
  const ttl = useGet(`${path}/ttl`);
  const memory = useGet(`${path}/memory`);
  const [field, setField] = useState("");
  const [value, setValue] = useState("");
  const [seconds, setSeconds] = useState("3600");
  const reload = () => {
    void hash.reload();
    void ttl.reload();
    void memory.reload();
  };
  return (
    <>
      <Card title={name} actions={<a href="#/hashes">All keys</a>}>
        <Shown of={hash} missing="No hash has this key.">
          {({ body }) => (
            <Table caption={`Fields of ${name}`} head={["Field", "Text", "Bytes", ""]}>
              {Object.entries(body as Record<string, string>).map(([name, text]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="text">{text}</td>
                  <td class="number">{new TextEncoder().encode(text).length}</td>
                  <td>
                    <button
                      type="button"
                      class="quiet"
                      aria-label={`Edit ${name}`}
                      onClick={() => {
                        setField(name);
                        setValue(text);
                        document.querySelector<HTMLElement>("#edit input")?.focus();
                      }}
                    >
                      Edit
                    </button>
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </Shown>
        {ttl.data && memory.data && (
          <p class="note">
            Lives {lasts(ttl.data.body.seconds)}; {memory.data.body.hash_bytes} bytes, as one string per field {memory.data.body.strings_bytes} bytes
            ({memory.data.body.saved_percent} % saved).
          </p>
        )}
      </Card>
      <div id="edit">
        <Card title="Change a field">
          <Change label="Set" request={field ? { method: "PUT", path: `${path}${at`/fields/${field}`}`, body: { value } } : null} onDone={reload}>
            <Field label="Field" value={field} onInput={setField} />
            <Field label="Text" value={value} onInput={setValue} />
          </Change>
          <Change
            label="Remove the field"
            danger
            request={field ? { method: "DELETE", path: `${path}${at`/fields/${field}`}` } : null}
            onDone={reload}
          />
        </Card>
      </div>
      <Card title="Time to live">
        <Change
          label="Let it end"
          request={/^[1-9]\d{0,8}$/.test(seconds) ? { method: "PUT", path: `${path}/ttl`, body: { seconds: Number(seconds) } } : null}
          onDone={reload}
        >
          <Field label="Seconds" inputmode="numeric" value={seconds} onInput={setSeconds} />
        </Change>
        {ttl.data?.body.seconds != null && <Change label="Let it live" request={{ method: "DELETE", path: `${path}/ttl` }} onDone={reload} />}
        <Change label="Delete the hash" danger request={{ method: "DELETE", path }} onDone={() => go("hashes")} />
      </Card>
    </>
  );
}
