/** What calls on products take and answer. */
import * as v from "valibot";
import { id, integerFrom, readOnly, scalarValue, textOf, withCustomFields } from "../../http/schema.ts";
import * as products from "./products.ts";

const name = v.pipe(textOf(1024), v.nonEmpty("not empty"));
const price = v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,14})(\.\d{1,4})?$/, "a decimal from 0 as text, up to 4 decimals"));
const stock = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(products.maxStock));
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
    (body) => new Set([...Object.keys(body), ...always]).size - ("id" in body ? 1 : 0) <= products.maxFields,
    `up to ${products.maxFields} fields, list_price included`,
  );
const whole = { name, price, stock, ...optional, list_price: readOnly };
export const newProduct = v.pipe(withCustomFields({ id: v.optional(id), ...whole }, v.nullable(scalarValue)), fewFields());
export const wholeProduct = v.pipe(withCustomFields({ id: readOnly, ...whole }, v.nullable(scalarValue)), fewFields());
export const patch = withCustomFields(
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
export const product = v.objectWithRest(
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

export const units = integerFrom(1, products.maxStock);
