/** Products: what there is, what it costs, and what waits for a payment. */
import { useState } from "preact/hooks";
import { at, scan, send } from "../api.ts";
import { go, useGet, useLoad } from "../hooks.ts";
import { Card, Change, Empty, Field, Lookup, Page, Shown, Table, Value } from "../parts.tsx";
import type { PageProps } from "../route.ts";

type Product = { id: string; name?: string; price?: string; stock?: number; category?: string; list_price?: string } & Record<string, unknown>;
type Hold = { hold_id: string; expires_at: string; quantity: number };

export function Products({ route }: PageProps) {
  const [id = ""] = route;
  const [wanted, setWanted] = useState(id);
  return (
    <Page title="Products" intro="Stock never goes below zero, whoever buys at the same time. Prices are exact decimals.">
      <Lookup onSubmit={() => go("products", wanted.trim())}>
        <Field label="Product id" value={wanted} onInput={setWanted} placeholder="1001" />
      </Lookup>
      {id ? <One key={id} id={id} /> : <List />}
    </Page>
  );
}

const listed = ["name", "price", "stock", "category", "list_price"];

function List() {
  const [cursors, setCursors] = useState(["0"]);
  const cursor = cursors.at(-1)!;
  const list = useLoad(`products from ${cursor}`, async () => {
    const found = await scan("product:*", cursor);
    if (!("data" in found)) return found;
    const ids = found.data.keys.map((key) => key.slice("product:".length)).filter((id) => /^[\w.@-]{1,128}$/.test(id));
    const parts = Array.from({ length: Math.ceil(ids.length / 100) }, (_, i) => ids.slice(i * 100, i * 100 + 100));
    const answers = await Promise.all(parts.map((ids) => send({ method: "POST", path: "/v1/products/batch-get", body: { ids, fields: listed } })));
    const refused = answers.find(({ ok }) => !ok);
    if (refused) return refused;
    const read: (Product | null)[] = answers.flatMap(({ body }) => body.products);
    return { data: { next: found.data.cursor, products: read.flatMap((product, i) => (product ? [{ ...product, id: ids[i]! }] : [])) } };
  });
  return (
    <Card title="All products">
      <Shown of={list}>
        {({ next, products }) => (
          <>
            {products.length === 0 ? (
              <Empty>No products here{next === "0" ? ". `npm run demo` makes some." : "; go on with Next."}</Empty>
            ) : (
              <Table caption="Products" head={["Id", "Name", "Price", "Stock", "Category"]}>
                {products.map((product) => (
                  <tr key={product.id}>
                    <th scope="row">
                      <a href={`#/products/${encodeURIComponent(product.id)}`}>{product.id}</a>
                    </th>
                    <td>{product.name}</td>
                    <td class="number">
                      {product.price} {product.list_price && <s>{product.list_price}</s>}
                    </td>
                    <td class="number">
                      <Stock of={product.stock} />
                    </td>
                    <td>{product.category}</td>
                  </tr>
                ))}
              </Table>
            )}
            <div class="row">
              {cursors.length > 1 && (
                <button type="button" onClick={() => setCursors((all) => all.slice(0, -1))}>
                  Back
                </button>
              )}
              {next !== "0" && (
                <button type="button" onClick={() => setCursors((all) => [...all, next])}>
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

const Stock = ({ of }: { of: number | undefined }) =>
  of === 0 ? <span class="badge bad">sold out</span> : of !== undefined && of < 5 ? <span class="badge warn">{of} left</span> : <span>{of}</span>;

function One({ id }: { id: string }) {
  const path = at`/v1/products/${id}`;
  const product = useGet(path);
  const [restock, setRestock] = useState("10");
  const [units, setUnits] = useState("1");
  const [minutes, setMinutes] = useState("15");
  const [percent, setPercent] = useState("10");
  const [holds, setHolds] = useState<Hold[]>([]);
  const without = (hold: Hold) => () => {
    setHolds((all) => all.filter((other) => other !== hold));
    void product.reload();
  };
  const whole = (text: string) => (/^[1-9]\d*$/.test(text) ? Number(text) : null);
  const [more, held, time] = [whole(restock), whole(units), whole(minutes)];
  return (
    <>
      <Card title={`Product ${id}`} actions={<a href="#/products">All products</a>}>
        <Shown of={product} missing="No product has this id.">
          {({ body }) => <Facts of={ordered(body)} />}
        </Shown>
      </Card>
      {product.data && (
        <>
          <Card title="Stock">
            <Change
              label="Restock"
              request={more === null ? null : { method: "POST", path: `${path}/restock`, body: { quantity: more } }}
              said={({ body }) => `Done: ${body.remaining} in stock.`}
              onDone={() => void product.reload()}
            >
              <Field label="Units to add" inputmode="numeric" value={restock} onInput={setRestock} />
            </Change>
          </Card>
          <Card title="Holds">
            <p class="note">
              Units leave the stock now and come back by themselves when the hold ends. Holds made here are listed while this page is open.
            </p>
            <Change
              label="Hold"
              request={
                held === null || time === null ? null : { method: "POST", path: `${path}/holds`, body: { quantity: held, ttl_seconds: time * 60 } }
              }
              said={({ body }) => `Held until ${new Date(body.expires_at).toLocaleTimeString()}; ${body.remaining} left.`}
              onDone={({ body }) => {
                setHolds((all) => [...all, { ...body, quantity: held ?? 0 }]);
                void product.reload();
              }}
            >
              <Field label="Units" inputmode="numeric" value={units} onInput={setUnits} />
              <Field label="Minutes" inputmode="numeric" value={minutes} onInput={setMinutes} />
            </Change>
            {holds.map((hold) => (
              <div class="held" key={hold.hold_id}>
                <p>
                  <strong>{hold.quantity}</strong> until {new Date(hold.expires_at).toLocaleTimeString()} <code>{hold.hold_id}</code>
                </p>
                <Change
                  label="Commit"
                  request={{ method: "POST", path: at`/v1/products/${id}/holds/${hold.hold_id}/commit` }}
                  onDone={without(hold)}
                />
                <Change label="Release" request={{ method: "DELETE", path: at`/v1/products/${id}/holds/${hold.hold_id}` }} onDone={without(hold)} />
              </div>
            ))}
          </Card>
          <Card title="Discount">
            <Change
              label="Lower the price"
              request={/^\d+(\.\d{1,4})?$/.test(percent) ? { method: "POST", path: `${path}/discount`, body: { percent } } : null}
              said={({ body }) => `${body.previous_price} is now ${body.price}.`}
              onDone={() => void product.reload()}
            >
              <Field label="Percent" inputmode="decimal" value={percent} onInput={setPercent} />
            </Change>
            {product.data.body.list_price !== undefined && (
              <Change label="Back to the list price" request={{ method: "DELETE", path: `${path}/discount` }} onDone={() => void product.reload()} />
            )}
          </Card>
        </>
      )}
    </>
  );
}

/** What everybody looks for comes first. */
function ordered({ id, name, price, stock, ...rest }: Record<string, unknown>): Record<string, unknown> {
  const first = Object.entries({ id, name, price, stock }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(first), ...rest };
}

/** Every field of an entity. */
export const Facts = ({ of }: { of: Record<string, unknown> }) => (
  <dl class="facts">
    {Object.entries(of).map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>
          <Value of={value} />
        </dd>
      </div>
    ))}
  </dl>
);
