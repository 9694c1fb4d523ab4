/** Leaderboards: the table, a player between neighbours, and a result to report. */
import { useState } from "preact/hooks";
import { at } from "../api.ts";
import { go, useGet } from "../hooks.ts";
import { Card, Change, Choice, Empty, Field, Lookup, Page, Shown, Table, Value } from "../parts.tsx";
import type { PageProps } from "../route.ts";

type Entry = { id: string; rank: number; score: number; username?: string; level?: number; wins?: number; losses?: number; last_played?: string };
const size = 10;

export function Leaderboards({ route }: PageProps) {
  const [board = "main", player = ""] = route;
  const [wanted, setWanted] = useState(board || "main");
  const [id, setId] = useState(player);
  return (
    <Page title="Leaderboards" intro="Whoever reached an equal score first ranks higher.">
      <Lookup onSubmit={() => (id.trim() ? go("leaderboards", wanted.trim(), id.trim()) : go("leaderboards", wanted.trim()))}>
        <Field label="Board" value={wanted} onInput={setWanted} />
        <Field label="Player id (optional)" value={id} onInput={setId} />
      </Lookup>
      {player ? <Around key={`${board}/${player}`} board={board} id={player} /> : <Top key={board} board={board || "main"} />}
    </Page>
  );
}

function Entries({ board, entries, current }: { board: string; entries: Entry[]; current?: string }) {
  return (
    <Table caption={`Players of ${board}`} head={["Rank", "Player", "Score", "Level", "Wins", "Losses"]}>
      {entries.map((entry) => (
        <tr key={entry.id} class={entry.id === current ? "current" : undefined} aria-current={entry.id === current ? "true" : undefined}>
          <td class="number">{entry.rank}</td>
          <th scope="row">
            <a href={`#/leaderboards/${encodeURIComponent(board)}/${encodeURIComponent(entry.id)}`}>{entry.username ?? entry.id}</a>
          </th>
          <td class="number">{entry.score}</td>
          <td class="number">
            <Value of={entry.level} />
          </td>
          <td class="number">
            <Value of={entry.wins} />
          </td>
          <td class="number">
            <Value of={entry.losses} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Top({ board }: { board: string }) {
  const [offset, setOffset] = useState(0);
  const top = useGet(`${at`/v1/leaderboards/${board}`}?limit=${size}&offset=${offset}`);
  return (
    <Card title={`Board ${board}`}>
      <Shown of={top}>
        {({ body }) =>
          body.players === 0 ? (
            <Empty>Nobody plays on this board yet.</Empty>
          ) : (
            <>
              <Entries board={board} entries={body.entries} />
              <div class="row">
                <button type="button" disabled={offset === 0} onClick={() => setOffset((n) => Math.max(0, n - size))}>
                  Higher
                </button>
                <button type="button" disabled={offset + size >= body.players} onClick={() => setOffset((n) => n + size)}>
                  Lower
                </button>
                <span class="note">
                  {offset + 1} to {Math.min(offset + size, body.players)} of {body.players}
                </span>
              </div>
            </>
          )
        }
      </Shown>
    </Card>
  );
}

function Around({ board, id }: { board: string; id: string }) {
  const path = at`/v1/leaderboards/${board}/players/${id}`;
  const around = useGet(`${path}/around?radius=3`);
  const [score, setScore] = useState("100");
  const [op, setOp] = useState("increment");
  const request = /^-?\d{1,15}$/.test(score) ? { method: "POST", path: `${path}/results`, body: { score: Number(score), op } } : null;
  return (
    <>
      <Card title={`Around player ${id}`} actions={<a href={`#/leaderboards/${encodeURIComponent(board)}`}>The top</a>}>
        <Shown of={around} missing="This player is not on the board.">
          {({ body }) => (
            <>
              <Entries board={board} entries={body.entries} current={id} />
              <p class="note">{body.players} players in all.</p>
            </>
          )}
        </Shown>
      </Card>
      {around.data && (
        <Card title="Report a result">
          <Change
            label="Report"
            request={request}
            said={({ body }) => `Score ${body.previous_score} is now ${body.score}; rank ${body.previous_rank} is now ${body.rank}.`}
            onDone={() => void around.reload()}
          >
            <Field label="Score" inputmode="numeric" value={score} onInput={setScore} />
            <Choice label="How" value={op} options={["increment", "best", "set"]} onInput={setOp} />
          </Change>
          <Change label="Take off the board" danger request={{ method: "DELETE", path }} onDone={() => go("leaderboards", board)} />
        </Card>
      )}
    </>
  );
}
