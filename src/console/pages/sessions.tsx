/** Sessions of one user: where they are signed in, and how to end it. Tokens and secrets are never in an answer. */
import { useState } from "preact/hooks";
import { at } from "../api.ts";
import { go, useGet } from "../hooks.ts";
import { Card, Change, Empty, Field, Lookup, Page, Shown } from "../parts.tsx";
import type { PageProps } from "../route.ts";
import { Facts } from "./products.tsx";

export function Sessions({ route }: PageProps) {
  const [user = ""] = route;
  const [wanted, setWanted] = useState(user);
  return (
    <Page title="Sessions" intro="A session that is ended here is over at once, everywhere.">
      <Lookup onSubmit={() => go("sessions", wanted.trim())}>
        <Field label="User id" value={wanted} onInput={setWanted} placeholder="1" />
      </Lookup>
      {user ? <OfUser key={user} user={user} /> : <Empty>Say whose sessions. The demo signs user 1 in twice.</Empty>}
    </Page>
  );
}

function OfUser({ user }: { user: string }) {
  const path = at`/v1/users/${user}/sessions`;
  const list = useGet(path);
  return (
    <>
      <Shown of={list}>
        {({ body }) =>
          body.sessions.length === 0 ? (
            <Empty>This user is not signed in anywhere.</Empty>
          ) : (
            body.sessions.map((session: Record<string, unknown> & { session_id: string }) => (
              <Card key={session.session_id} title={String(session.user_agent ?? "Session")}>
                <Facts of={session} />
                <Change
                  label="Revoke"
                  danger
                  request={{ method: "DELETE", path: at`/v1/users/${user}/sessions/${session.session_id}` }}
                  onDone={() => void list.reload()}
                />
              </Card>
            ))
          )
        }
      </Shown>
      {list.data && list.data.body.sessions.length > 0 && (
        <Card title="All of them">
          <Change label="Sign out everywhere" danger request={{ method: "DELETE", path }} onDone={() => void list.reload()} />
        </Card>
      )}
    </>
  );
}
