/** Products over HTTP: the entity itself. Selling is in sales-routes.ts. */
import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/app-env.ts";
import { endpoint } from "../../http/endpoint.ts";
import { problem, refusals } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { fieldList, fieldName, id, readOnly, scalarValue, textOf, withCustomFields } from "../../http/schema.ts";
import { productProblems } from "./problems.ts";
import * as products from "./products.ts";
import { routes as sales } from "./sales-routes.ts";

const refuse = refusals({
  ...productProblems,
  product_exists: [409, "A product with this id exists; PUT replaces it."],
});

const name = v.pipe(textOf(1024), v.nonEmpty("not empty"));
const price = v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,14})(\.\d{1,4})?$/, "a decimal from 0 as text, up to 4 decimals"));
const stock = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(products.mostStock));
const text = textOf(4096);
const rating = v.pipe(
  v.number(),
  v.minValue(0),
  v.maxValue(5),
  v.check((value) => !/e/.test(String(value)), "a plain decimal"),
);

const optional = { category: v.optional(text), sku: v.optional(text), description: v.optional(text), rating: v.optional(rating) };
/** Beside those given, a saved product has these, or may get them. */
const always = [...Object.keys(optional), "list_price"];
const fewFields = <T extends object>() =>
  v.check<T, string>(
    (body) => new Set([...Object.keys(body), ...always]).size - ("id" in body ? 1 : 0) <= products.mostFields,
    `up to ${products.mostFields} fields, list_price included`,
  );
const whole = { name, price, stock, ...optional, list_price: readOnly };
const newProduct = v.pipe(withCustomFields({ id: v.optional(id), ...whole }, v.nullable(scalarValue)), fewFields());
const wholeProduct = v.pipe(withCustomFields({ id: readOnly, ...whole }, v.nullable(scalarValue)), fewFields());
const patch = withCustomFields(
  {
    id: readOnly,
    name: v.optional(name),
    price: v.optional(price),
    stock: v.optional(stock),
    category: v.nullish(text),
    sku: v.nullish(text),
    description: v.nullish(text),
    rating: v.nullish(rating),
    list_price: readOnly,
  },
  v.nullable(scalarValue),
);
const product = v.objectWithRest(
  {
    id: v.string(),
    name: v.optional(v.string()),
    price: v.optional(v.string()),
    stock: v.optional(v.number()),
    category: v.optional(v.string()),
    sku: v.optional(v.string()),
    description: v.optional(v.string()),
    rating: v.optional(v.number()),
    list_price: v.optional(v.string()),
  },
  v.unknown(),
);
const param = v.object({ id });

export const routes = new Hono<App>()
  .post(
    "/v1/products",
    endpoint({
      summary: "Create a product",
      description: "Without an id a UUID is made.",
      scope: "products",
      write: true,
      body: newProduct,
      answers: { 201: product },
      problems: ["product_exists"],
    }),
    async (c) => {
      const { id = crypto.randomUUID(), ...fields } = c.req.valid("json");
      const result = await products.create(c.var.redis, id, fields, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      const headers = { Location: `/v1/products/${encodeURIComponent(result.product.id)}` };
      return entity(c, result.product, result.etag, { status: 201, headers });
    },
  )
  .post(
    "/v1/products/batch-get",
    endpoint({
      summary: "Read up to 100 products",
      description: "In the order of the ids, null for each that is missing. One hop.",
      scope: "products:read",
      body: v.strictObject({
        ids: v.pipe(v.array(id), v.minLength(1, "1 to 100 ids"), v.maxLength(100, "1 to 100 ids")),
        fields: v.optional(v.pipe(v.array(fieldName), v.minLength(1, "1 to 64 fields"), v.maxLength(64, "1 to 64 fields"))),
      }),
      answers: { 200: v.object({ products: v.array(v.nullable(product)) }) },
      problems: ["corrupt_record"],
    }),
    async (c) => {
      const { ids, fields } = c.req.valid("json");
      const result = await products.list(c.var.redis, ids, fields);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ products: result.products }, 200);
    },
  )
  .get(
    "/v1/products/:id",
    endpoint({
      summary: "Read a product",
      description: "`fields` reads only those. Units of holds that have ended are in `stock` again.",
      scope: "products:read",
      param,
      query: v.object({ fields: v.optional(fieldList) }),
      answers: { 200: product },
      problems: ["product_not_found", "corrupt_record"],
    }),
    async (c) => {
      const result = await products.get(c.var.redis, c.req.valid("param").id, c.req.valid("query").fields);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.product, result.etag);
    },
  )
  .put(
    "/v1/products/:id",
    endpoint({
      summary: "Create a product or replace it whole",
      description: "Ends a discount; holds go on. `If-None-Match: *` creates only.",
      scope: "products",
      write: true,
      param,
      body: wholeProduct,
      answers: { 200: product, 201: product },
    }),
    async (c) => {
      const result = await products.replace(c.var.redis, c.req.valid("param").id, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.product, result.etag, { status: result.created ? 201 : 200 });
    },
  )
  .patch(
    "/v1/products/:id",
    endpoint({
      summary: "Merge into a product",
      description: "RFC 7396: a field set to null is removed, a field not named stays. `stock` and `price` need If-Match.",
      scope: "products",
      write: true,
      param,
      body: patch,
      mergePatch: true,
      answers: { 200: product },
      problems: ["product_not_found", "too_many_fields", "corrupt_record", "precondition_required"],
    }),
    async (c) => {
      const changes = c.req.valid("json");
      if (("stock" in changes || "price" in changes) && !c.var.operation.ifMatch) return problem(c, "precondition_required");
      const result = await products.update(c.var.redis, c.req.valid("param").id, changes, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.product, result.etag);
    },
  )
  .delete(
    "/v1/products/:id",
    endpoint({
      summary: "Delete a product and drop its holds",
      scope: "products",
      write: true,
      param,
      answers: { 204: null },
      problems: ["product_not_found"],
    }),
    async (c) => {
      const result = await products.remove(c.var.redis, c.req.valid("param").id, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .route("/", sales);
