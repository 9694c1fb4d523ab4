/** The console: sign in with an API key, then one page for each system. */

import type { FunctionComponent } from "preact";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { signIn, signOut } from "./api.ts";
import { useRoute } from "./hooks.ts";
import { Cache } from "./pages/cache.tsx";
import { Carts } from "./pages/carts.tsx";
import { Config } from "./pages/config.tsx";
import { Hashes } from "./pages/hashes.tsx";
import { Leaderboards } from "./pages/leaderboards.tsx";
import { Limits } from "./pages/limits.tsx";
import { Overview } from "./pages/overview.tsx";
import { Products } from "./pages/products.tsx";
import { Profiles } from "./pages/profiles.tsx";
import { Sessions } from "./pages/sessions.tsx";
import type { PageProps } from "./route.ts";

const pages: Record<string, [title: string, page: FunctionComponent<PageProps>]> = {
  overview: ["Overview", Overview],
  products: ["Products", Products],
  profiles: ["Profiles", Profiles],
  leaderboards: ["Leaderboards", Leaderboards],
  sessions: ["Sessions", Sessions],
  config: ["Config", Config],
  carts: ["Carts", Carts],
  cache: ["Cached responses", Cache],
  limits: ["Rate limits", Limits],
  hashes: ["Raw hashes", Hashes],
};

function SignIn({ onDone, why }: { onDone: () => void; why: string }) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState(why);
  async function submit(event: Event) {
    event.preventDefault();
    setBusy(true);
    const refused = await signIn(key, () => onRefused());
    setBusy(false);
    if (refused) return setTrouble(refused);
    onDone();
  }
  return (
    <main class="signin">
      <form class="card" onSubmit={submit}>
        <h1>
          <span class="mark" aria-hidden="true" /> onehop console
        </h1>
        <label for="key">API key</label>
        <input
          id="key"
          type="password"
          required
          autocomplete="off"
          aria-describedby="key-note"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value.trim())}
        />
        <p id="key-note" class="note">
          It stays in the memory of this page and is gone when you reload or close it. In development it is <code>dev-key</code>.
        </p>
        {trouble && (
          <p class="notice bad" role="alert">
            {trouble}
          </p>
        )}
        <button type="submit" class="primary" disabled={busy || !key}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}

let onRefused = () => {};

function App() {
  const [isIn, setIn] = useState(false);
  const [why, setWhy] = useState("");
  const route = useRoute();
  // On a phone the pages are a strip that scrolls.
  useEffect(() => document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [route[0], isIn]);
  onRefused = () => leave("The key is not known any more. Sign in again.");
  const leave = (reason: string) => {
    signOut();
    setWhy(reason);
    setIn(false);
  };
  if (!isIn) return <SignIn why={why} onDone={() => setIn(true)} />;
  const name = Object.hasOwn(pages, route[0]!) ? route[0]! : "overview";
  const [, Current] = pages[name]!;
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the page
      </button>
      <header class="side">
        <p class="brand">
          <span class="mark" aria-hidden="true" /> onehop
        </p>
        <nav aria-label="Pages">
          <ul>
            {Object.entries(pages).map(([path, [label]]) => (
              <li key={path}>
                <a href={`#/${path}`} aria-current={path === name ? "page" : undefined}>
                  {label}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="foot">
          <a href="/docs">API reference</a>
          <button type="button" class="quiet" onClick={() => leave("")}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Current key={route.join("/")} route={route.slice(1)} />
      </main>
    </div>
  );
}

const root = document.getElementById("app")!;
root.textContent = "";
render(<App />, root);
