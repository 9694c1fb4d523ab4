/** A back office of somebody else's: its own sign-in, its own routes, and the carts of all customers. */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { cached, carts, onehop, rateLimit, session } from "onehop";

type Office = {
  Bindings: { UPSTASH_REDIS_REST_URL: string; UPSTASH_REDIS_REST_TOKEN: string };
  Variables: { staff: string; mayWrite: boolean };
};

/** Stands for whatever the office signs its staff in with. */
const signIn = createMiddleware<Office>(async function signIn(c, next) {
  const [, name, role] = /^Staff (\w+) (clerk|auditor)$/.exec(c.req.header("Authorization") ?? "") ?? [];
  if (!name) throw new HTTPException(401, { message: "Who are you?" });
  c.set("staff", name);
  c.set("mayWrite", role === "clerk");
  await next();
});

let reportsMade = 0;

const app = new Hono<Office>()
  .use("/v1/*", signIn)
  .use(
    "/v1/*",
    onehop<Office>((c) => ({ id: `staff:${c.var.staff}`, scopes: [c.var.mayWrite ? "carts" : "carts:read"] })),
  )
  .route("/", carts())
  .get("/about", (c) => c.text("The back office"))
  .get(
    "/reports/:day",
    signIn,
    rateLimit((c) => ({ id: `staff:${c.var.staff}`, endpoint: "reports", limit: 3, windowSeconds: 3600 })),
    // All of the staff may see the same report, so it is kept although the request has a credential.
    cached({ name: "report", id: (c) => c.req.param("day"), ttlSeconds: 600, credentialed: true }),
    (c) => c.json({ day: c.req.param("day"), made: ++reportsMade }),
  )
  // What a customer's own session opens.
  .get("/hello", session(), (c) => c.json({ customer: c.var.session.user_id }))
  .onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text("Something is broken", 500)));

export type OfficeType = typeof app;
export default app;
