/** Products over HTTP: the entity itself. Selling is in sales-routes.ts. */
import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { problem, refusals } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { fieldList, fieldName, id } from "../../http/schema.ts";
import { productProblems } from "./problems.ts";
import * as products from "./products.ts";
import { routes as sales } from "./sales-routes.ts";
import { newProduct, patch, product, wholeProduct } from "./schemas.ts";

const refuse = refusals({
  ...productProblems,
  product_exists: [409, "A product with this id exists; PUT replaces it."],
});

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
      const { fields } = c.req.valid("query");
      const result = await products.get(c.var.redis, c.req.valid("param").id, fields);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.product, fields ? "" : result.etag);
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
