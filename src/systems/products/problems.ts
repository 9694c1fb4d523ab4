/** Problems that every system which sells products shares. */
import type { Definitions } from "../../http/problem.ts";

export const productProblems = {
  product_not_found: [404, "No product has this id."],
  insufficient_stock: [409, "There are fewer units than asked for. Nothing was taken."],
} as const satisfies Definitions;
