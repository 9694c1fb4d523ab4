/** Carts with what they cost now. */
import { useState } from "preact/hooks";
import { at } from "../api.ts";
import { go, useGet } from "../hooks.ts";
import { Card, Change, Choice, Empty, Field, Lookup, lasts, Page, Shown, Table, Value } from "../parts.tsx";
import type { PageProps } from "../route.ts";

type Item = { product_id: string; quantity: number; name: string | null; price: string | null; stock: number | null; line_total: string | null };

export function Carts({ route }: PageProps) {
  const [kind = "user", id = ""] = route;
  const [wantedKind, setKind] = useState(kind || "user");
  const [wanted, setWanted] = useState(id);
  return (
    <Page title="Carts" intro="A cart ends seven days after its last change.">
      <Lookup onSubmit={() => go("carts", wantedKind, wanted.trim())}>
        <Choice label="Kind" value={wantedKind} options={["user", "guest"]} onInput={setKind} />
        <Field label="Id" value={wanted} onInput={setWanted} placeholder="1" />
      </Lookup>
      {id ? (
        <One key={`${kind}/${id}`} kind={kind} id={id} />
      ) : (
        <Empty>Say whose cart. The demo fills those of user 1, user 2 and guest g-4711.</Empty>
      )}
    </Page>
  );
}

function One({ kind, id }: { kind: string; id: string }) {
  const path = at`/v1/carts/${kind}/${id}`;
  const cart = useGet(`${path}?view=priced`);
  const [product, setProduct] = useState("");
  const [quantity, setQuantity] = useState("1");
  const isWhole = /^\d{1,3}$/.test(quantity);
  return (
    <>
      <Card title={`Cart of ${kind} ${id}`}>
        <Shown of={cart}>
          {({ body }) =>
            body.items.length === 0 ? (
              <Empty>This cart is empty.</Empty>
            ) : (
              <>
                <Table caption="Lines" head={["Product", "Name", "Price", "Quantity", "Total", "Stock"]}>
                  {body.items.map((item: Item) => (
                    <tr key={item.product_id}>
                      <th scope="row">
                        <a href={`#/products/${encodeURIComponent(item.product_id)}`}>{item.product_id}</a>
                      </th>
                      <td>{item.name ?? <span class="badge bad">gone</span>}</td>
                      <td class="number">
                        <Value of={item.price ?? undefined} />
                      </td>
                      <td class="number">{item.quantity}</td>
                      <td class="number">
                        <Value of={item.line_total ?? undefined} />
                      </td>
                      <td class="number">
                        {item.stock !== null && item.stock < item.quantity ? (
                          <span class="badge bad">{item.stock}</span>
                        ) : (
                          <Value of={item.stock ?? undefined} />
                        )}
                      </td>
                    </tr>
                  ))}
                </Table>
                <p class="sum">
                  Subtotal <strong>{body.subtotal}</strong> <span class="note">ends in {lasts(body.expires_in)}</span>
                </p>
              </>
            )
          }
        </Shown>
      </Card>
      {cart.data && (
        <Card title="Change it">
          <Change
            label="Set"
            request={
              product.trim() && isWhole
                ? { method: "PUT", path: `${path}/items/${encodeURIComponent(product.trim())}`, body: { quantity: Number(quantity) } }
                : null
            }
            onDone={() => void cart.reload()}
          >
            <Field label="Product id" value={product} onInput={setProduct} />
            <Field label="Quantity (0 removes)" inputmode="numeric" value={quantity} onInput={setQuantity} />
          </Change>
          <Change label="Clear the cart" danger request={{ method: "DELETE", path }} onDone={() => void cart.reload()} />
        </Card>
      )}
    </>
  );
}
