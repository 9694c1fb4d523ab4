/** What calls of end users take, beside what the systems behind them do. */

import * as v from "valibot";
import { id } from "../../http/schema.ts";

export const itemParam = v.object({ product: id });

export const sessionParam = v.object({ session_id: id });
