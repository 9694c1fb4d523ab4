/** Problems of carts, for every call that works on one. */
import type { Definitions } from "../../http/problem.ts";
import { productProblems } from "../products/problems.ts";
import * as carts from "./carts.ts";

export const cartProblems = {
  ...productProblems,
  quantity_limit: [409, `A line of a cart has at most ${carts.maxQuantity} units; \`quantity\` says how many it has.`],
  line_limit: [409, `A cart has at most ${carts.maxLines} lines.`],
  cart_changed: [409, "The cart is not what the buyer saw; `cart` has it."],
  total_changed: [409, "The order would cost another sum than expected; `total` has it."],
  order_not_found: [404, "No order has this id."],
} as const satisfies Definitions;
