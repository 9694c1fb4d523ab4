/** What pages are made of. Text only ever becomes text nodes: there is no HTML from data anywhere in the console. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { type Answer, curlOf, type Problem, type Request, send } from "./api.ts";
import type { Loaded } from "./hooks.ts";

export function Page({ title, intro, children }: { title: string; intro?: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · onehop console`;
    heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {intro && <p class="intro">{intro}</p>}
      {children}
    </>
  );
}

export function Card({ title, children, actions }: { title: string; children: ComponentChildren; actions?: ComponentChildren }) {
  const id = useId();
  return (
    <section class="card" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

type InputProps = {
  label: string;
  value: string;
  onInput: (value: string) => void;
  placeholder?: string;
  inputmode?: "numeric" | "decimal";
};

export function Field({ label, value, onInput, ...rest }: InputProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} value={value} autocomplete="off" spellcheck={false} onInput={(event) => onInput(event.currentTarget.value)} {...rest} />
    </div>
  );
}

export function Choice({
  label,
  value,
  options,
  onInput,
}: {
  label: string;
  value: string;
  options: readonly string[];
  onInput: (value: string) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onInput={(event) => onInput(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </div>
  );
}

/** One line of fields with a button that looks something up. */
export function Lookup({ children, label = "Open", onSubmit }: { children: ComponentChildren; label?: string; onSubmit: () => void }) {
  const submit = (event: Event) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form class="row" onSubmit={submit}>
      {children}
      <button type="submit">{label}</button>
    </form>
  );
}

export function Trouble({ problem }: { problem: Problem }) {
  return (
    <div class="notice bad" role="alert">
      <strong>{problem.title}</strong> <code>{problem.code}</code>
      <p>{problem.detail}</p>
      {problem.errors && (
        <ul>
          {problem.errors.map(({ pointer, detail }) => (
            <li key={pointer}>
              <code>{pointer || "/"}</code> {detail}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

const clock = (time: number) => new Date(time).toLocaleTimeString();

/** What was read, or why there is nothing: loading, refused, stale, empty. */
export function Shown<T>({ of, children, missing }: { of: Loaded<T>; children: (data: T) => ComponentChildren; missing?: ComponentChildren }) {
  const { data, loading, problem, at, reload } = of;
  const absent = problem?.status === 404 && missing;
  return (
    <>
      <p class="state" role="status">
        {loading ? "Loading…" : at ? `As of ${clock(at)}` : problem ? "Nothing to show" : ""}
        {!loading && (at || problem) && (
          <button type="button" class="link" onClick={() => void reload()}>
            Refresh
          </button>
        )}
      </p>
      {absent ? <Empty>{missing}</Empty> : problem && <Trouble problem={problem} />}
      {problem && data && <p class="notice warn">This is what was read last. It may be out of date.</p>}
      {loading && !data && <div class="skeleton" aria-hidden="true" />}
      {data && <div class={problem ? "stale" : undefined}>{children(data)}</div>}
    </>
  );
}

export function Curl({ request }: { request: Request }) {
  const [copied, setCopied] = useState(false);
  const text = curlOf(request);
  useEffect(() => setCopied(false), [text]);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <details class="curl">
      <summary>
        <code>
          {request.method} {request.path}
        </code>
      </summary>
      <textarea readOnly aria-label="The request as a curl" rows={text.split("\n").length} value={text} />
      <button type="button" class="quiet" onClick={copy}>
        {copied ? "Copied" : "Copy curl"}
      </button>
    </details>
  );
}

type ChangeProps = {
  label: string;
  /** What it would send; null while the form does not say. */
  request: Request | null;
  onDone?: (answer: Answer) => void;
  /** Handle a refusal in another way than showing it. @returns whether it was handled */
  onRefused?: (answer: Answer) => boolean;
  children?: ComponentChildren;
  danger?: boolean;
  /** Say what happened. */
  said?: (answer: Answer) => string;
};

/**
 * A form that changes something: it shows the request as a curl before it is sent, and what came of it. The request
 * keeps its Idempotency-Key until it took effect, so that pressing again after a lost answer is safe.
 */
export function Change({ label, request, onDone, onRefused, children, danger, said }: ChangeProps) {
  const text = JSON.stringify(request);
  const [turn, setTurn] = useState(0);
  const key = useMemo(() => crypto.randomUUID(), [text, turn]);
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [outcome, setOutcome] = useState<Answer | null>(null);
  const whole = request && { ...request, headers: { "Idempotency-Key": key, ...request.headers } };
  useEffect(() => setSure(false), [text]);

  async function submit(event: Event) {
    event.preventDefault();
    if (!whole || busy) return;
    if (danger && !sure) return setSure(true);
    setBusy(true);
    const answer = await send(whole);
    setBusy(false);
    setSure(false);
    if (answer.ok) setTurn((n) => n + 1);
    setOutcome(answer.ok || !onRefused?.(answer) ? answer : null);
    if (answer.ok) onDone?.(answer);
  }

  return (
    <form class="change" onSubmit={submit}>
      <div class="row">
        {children}
        <button type="submit" class={danger ? "danger" : "primary"} disabled={!whole || busy}>
          {busy ? "Sending…" : sure ? `${label}: sure?` : label}
        </button>
      </div>
      {whole && <Curl request={whole} />}
      <div role="status">{outcome?.ok && <p class="notice good">{said?.(outcome) ?? "Done."}</p>}</div>
      {outcome?.problem && <Trouble problem={outcome.problem} />}
    </form>
  );
}

export function Table({ caption, head, children }: { caption: string; head: readonly string[]; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((name) =>
              name ? (
                <th key={name} scope="col">
                  {name}
                </th>
              ) : (
                <td key={name} />
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** A JSON value as text. */
export const show = (value: unknown): string => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));

export const Value = ({ of }: { of: unknown }) => (
  <span class={`value ${of === null ? "null" : typeof of}`}>{of === undefined ? "—" : show(of)}</span>
);

/** Mine and theirs, field by field, after a 412. */
export function Conflict({
  mine,
  theirs,
  onTheirs,
  children,
}: {
  mine: Record<string, unknown>;
  theirs: Record<string, unknown>;
  onTheirs: () => void;
  children?: ComponentChildren;
}) {
  const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])].filter(
    (name) => show(mine[name] ?? null) !== show(theirs[name] ?? null),
  );
  return (
    <div class="notice warn" role="alert">
      <strong>Somebody else changed it</strong> <code>412 precondition_failed</code>
      <p>Nothing was saved. Both versions, where they differ:</p>
      <Table caption="Both versions" head={["Field", "Yours", "Theirs, now"]}>
        {names.map((name) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <Value of={mine[name]} />
            </td>
            <td>
              <Value of={theirs[name]} />
            </td>
          </tr>
        ))}
      </Table>
      <div class="row">
        <button type="button" onClick={onTheirs}>
          Take theirs
        </button>
        {children}
      </div>
    </div>
  );
}

export const lasts = (seconds: number | null): string => {
  if (seconds === null) return "for ever";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
};
