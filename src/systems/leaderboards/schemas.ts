/** What calls on leaderboards take and answer. */

import * as v from "valibot";
import { fieldList, fieldName, id, readOnly, safeInteger, scalarValue, textOf, withCustomFields } from "../../http/schema.ts";
import { isCursor } from "./reindex.ts";

/** Names that answers use beside the fields of an entry: no field can have them. */
export const reserved = { id: readOnly, rank: readOnly, players: readOnly, previous_score: readOnly, previous_rank: readOnly, improved: readOnly };

export const counted = { score: readOnly, wins: readOnly, losses: readOnly, last_played: readOnly };

export const description = v.pipe(
  withCustomFields(
    {
      username: v.optional(v.pipe(textOf(256), v.nonEmpty("at least one character"))),
      level: v.nullish(v.pipe(safeInteger, v.minValue(0, "at least 0"))),
      ...counted,
      ...reserved,
    },
    v.nullable(scalarValue),
  ),
  v.check((fields) => Object.keys(fields).length <= 64, "up to 64 fields"),
);

export const notCounters = new Set(["username", "level", "score", "last_played", ...Object.keys(reserved)]);

export const counters = v.pipe(
  v.record(fieldName, safeInteger),
  v.check((given) => Object.keys(given).length <= 64, "up to 64 counters"),
  v.check((given) => Object.keys(given).every((name) => !notCounters.has(name)), "wins, losses and custom fields are counters"),
);

export const report = v.pipe(
  v.strictObject({
    score: safeInteger,
    op: v.optional(v.picklist(["increment", "best", "set"], "increment, best or set"), "increment"),
    counters: v.optional(counters, {}),
    fields: v.optional(description, {}),
  }),
  v.check(({ counters, fields }) => Object.keys(counters).every((name) => !Object.hasOwn(fields, name)), "a name is a counter or a field, not both"),
);

export const fieldsOfEntry = { id: v.string(), rank: v.number(), score: v.number() };

export const player = v.objectWithRest({ ...fieldsOfEntry, players: v.number() }, v.unknown());

export const part = v.object({ entries: v.array(v.objectWithRest(fieldsOfEntry, v.unknown())), players: v.number() });

export const result = v.objectWithRest(
  { ...fieldsOfEntry, previous_score: v.nullable(v.number()), previous_rank: v.nullable(v.number()), improved: v.boolean() },
  v.unknown(),
);

export const cursor = v.pipe(v.union([v.string(), v.number()], "a cursor"), v.transform(String), v.check(isCursor, "a cursor that was answered"));

export const param = v.object({ board: id, id });

export const fields = v.optional(fieldList);
