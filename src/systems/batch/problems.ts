/** A batch is refused as any call is; its parts have the problems of their own systems. */
import { refusals } from "../../http/problem.ts";

export const refuse = refusals({});
