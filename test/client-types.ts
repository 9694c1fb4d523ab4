/** What the typed client takes and gives, as types: compiled with the project, and with the package as it is installed. */
import { type Client, createClient, Problem } from "onehop/client";
import type { OfficeType } from "./example/back-office.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

export async function calls({ v1 }: Client) {
  const sold = await v1.products[":id"].purchase.$post({ param: { id: "mug" }, json: { quantity: 1 } });
  same<typeof sold.status, 200>(true);
  const sale = await sold.json();
  same<typeof sale, { product_id: string; quantity: number; unit_price: string; total: string; remaining: number }>(true);
  // @ts-expect-error no such field in the answer
  sale.stock;
  // @ts-expect-error no such path
  v1.products[":id"].buy;
  // @ts-expect-error no such method at this path
  v1.products[":id"].purchase.$get;
  // @ts-expect-error the body is missing
  v1.products[":id"].purchase.$post({ param: { id: "mug" } });
  // @ts-expect-error a quantity is a number
  v1.products[":id"].purchase.$post({ param: { id: "mug" }, json: { quantity: "1" } });
  // @ts-expect-error no such field in the body
  v1.products[":id"].purchase.$post({ param: { id: "mug" }, json: { quantity: 1, colour: "red" } });
  // @ts-expect-error the parameter is missing
  v1.products[":id"].purchase.$post({ json: { quantity: 1 } });
  // @ts-expect-error a parameter of another name
  v1.products[":id"].purchase.$post({ param: { product: "mug" }, json: { quantity: 1 } });

  // A query that may be left out, may be left out.
  const read = await v1.profiles[":id"].$get({ param: { id: "7" } });
  same<typeof read.status, 200 | 304>(true);
  const profile = await read.json();
  same<typeof profile.id, string>(true);
  same<typeof profile.username, string | undefined>(true);
  await v1.profiles[":id"].$get({ param: { id: "7" }, query: { view: "public", fields: "username,bio" } });
  // @ts-expect-error no such view
  v1.profiles[":id"].$get({ param: { id: "7" }, query: { view: "private" } });
  // @ts-expect-error one of two names must be given
  v1.profiles.$get({ query: {} });
  await v1.profiles.$post({ json: { username: "grace", email: "g@example.com", favourite_colour: "green" } });
  // @ts-expect-error the system sets this itself
  v1.profiles.$post({ json: { username: "grace", email: "g@example.com", verified: true } });

  await v1.carts[":kind"][":id"].items.$post({ param: { kind: "user", id: "7" }, json: { product_id: "mug", quantity: 2 } });
  // @ts-expect-error no such kind of cart
  v1.carts[":kind"][":id"].$get({ param: { kind: "admin", id: "7" } });
  const cart = await (await v1.carts[":kind"][":id"].$get({ param: { kind: "guest", id: "7" } })).json();
  same<(typeof cart.items)[number]["quantity"], number>(true);

  const mine = await v1.me.cart.items.$post({ json: { product_id: "mug", quantity: 1 } });
  same<(typeof mine)["status"], 200 | 304>(true);
  // @ts-expect-error whose cart it is, the session says
  v1.me.cart.items.$post({ param: { id: "8" }, json: { product_id: "mug", quantity: 1 } });
  // @ts-expect-error no path of its own
  v1.me["*"];
  const gone = await v1.profiles[":id"].$delete({ param: { id: "7" } });
  same<typeof gone.status, 204>(true);
  const config = await (await v1.config[":name"].$patch({ param: { name: "shop" }, json: { open: true, hours: [9, 17] } })).json();
  config.open;
}

export async function problems(client: Client) {
  try {
    await client.v1.profiles[":id"].$get({ param: { id: "7" } });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "profile_not_found" || error.status === 404) return error.request_id;
    same<typeof error.applied, "no" | "unknown">(true);
    same<typeof error.retry_after, number | undefined>(true);
    same<typeof error.errors, { pointer: string; detail: string }[]>(true);
    // @ts-expect-error a status is a number
    error.status === "404";
  }
}

createClient("https://onehop.example.com", { token: "key", timeoutMs: 2000, tries: 3 });
// @ts-expect-error no such option
createClient("https://onehop.example.com", { apiKey: "key" });

/** An app with one of the systems and a route of its own has a client too. */
export async function office(address: string) {
  const client = createClient<OfficeType>(address);
  const cart = await (await client.v1.carts[":kind"][":id"].$get({ param: { kind: "user", id: "7" } })).json();
  same<typeof cart.expires_in, number | null>(true);
  // @ts-expect-error not mounted
  client.v1.products;
}
