/** The least that hono can be, to compare cold starts with. */
import { Hono } from "hono";

export default new Hono().get("/", (c) => c.text("hello"));
