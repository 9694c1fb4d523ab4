/** What pages share: where we are, and reading from the API with all its states. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Answer, type Problem, send } from "./api.ts";

/** A value from outside that says when it changes. */
export function useOutside<T>(listen: (listener: () => void) => () => void, read: () => T): T {
  const [value, setValue] = useState(read);
  useEffect(() => {
    const update = () => setValue(read());
    update();
    return listen(update);
  }, [listen, read]);
  return value;
}

const hashNow = () => location.hash;
const onHash = (listener: () => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

/** The address after `#/`, in decoded parts. */
export function useRoute(): string[] {
  const hash = useOutside(onHash, hashNow);
  return hash.replace(/^#\/?/, "").split("/").map(decoded);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const go = (...parts: string[]) => {
  location.hash = `#/${parts.map(encodeURIComponent).join("/")}`;
};

export type Loaded<T> = {
  /** What was read last; it stays while it is read again. */
  data: T | null;
  loading: boolean;
  problem: Problem | null;
  /** When `data` was read. */
  at: number | null;
  reload: () => Promise<void>;
};

/**
 * Read something whenever `key` changes, and on `reload`; null reads nothing.
 * @param read gives the data, or the answer that refused
 */
export function useLoad<T>(key: string | null, read: () => Promise<{ data: T } | Answer>): Loaded<T> {
  const empty = { key, data: null as T | null, loading: key !== null, problem: null as Problem | null, at: null as number | null };
  const [state, setState] = useState(empty);
  const newest = useRef(0);
  const reader = useRef(read);
  reader.current = read;

  const reload = useCallback(async () => {
    if (key === null) return;
    const turn = ++newest.current;
    setState((old) => (old.key === key ? { ...old, loading: true } : { ...empty, loading: true }));
    const result = await reader.current();
    if (turn !== newest.current) return;
    if ("data" in result) setState({ key, data: result.data, loading: false, problem: null, at: Date.now() });
    else
      setState((old) => {
        // What is not there any more is not shown as old data.
        const gone = result.status >= 400 && result.status < 500;
        return { key, data: gone ? null : old.data, loading: false, problem: result.problem, at: gone ? null : old.at };
      });
  }, [key]);

  useEffect(() => {
    setState(empty);
    void reload();
    return () => {
      newest.current++;
    };
  }, [reload]);
  return { ...(state.key === key ? state : empty), reload };
}

/** Read one address. */
export const useGet = (path: string | null) =>
  useLoad<Answer>(path, async () => {
    const answer = await send({ method: "GET", path: path! });
    return answer.ok ? { data: answer } : answer;
  });
