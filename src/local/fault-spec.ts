/**
 * Faults from outside: `lose-answer:probability=0.1,seed=7` of the command line, or JSON of the control endpoint.
 */
import { FAULT_KINDS, type Fault, type FaultKind } from "./faults.ts";

/** @example parseFault("delay:ms=300,times=5,command=HGETALL") */
export function parseFault(spec: string): Fault {
  const [kind = "", ...settings] = spec.split(/[:,]/);
  const pairs = settings.filter((setting) => setting !== "").map((setting) => setting.split("=", 2));
  return checkFault({ kind, ...Object.fromEntries(pairs.map(([name = "", value = ""]) => [name, readValue(name, value)])) });
}

function readValue(name: string, value: string): unknown {
  if (name === "command") return value;
  if (value === "true" || value === "false") return value === "true";
  return value.trim() === "" ? value : Number(value);
}

/** Make sure that a fault is one, or throw a sentence that says what is wrong. */
export function checkFault(input: unknown): Fault {
  if (typeof input !== "object" || input === null) throw new Error("a fault is an object with a kind");
  const { kind, ...rest } = input as Record<string, unknown>;
  if (typeof kind !== "string" || !Object.hasOwn(FAULT_KINDS, kind)) {
    throw new Error(`no fault is called "${kind}"; there are: ${Object.keys(FAULT_KINDS).join(", ")}`);
  }
  for (const [name, value] of Object.entries(rest)) checkSetting(name, value);
  return { kind: kind as FaultKind, ...rest };
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

const SETTINGS: Record<string, { what: string; test(value: unknown): boolean }> = {
  command: { what: "the name of a command", test: (value) => typeof value === "string" && /^[\w.]+$/.test(value) },
  skip: { what: "a whole number", test: isCount },
  times: { what: "a whole number", test: isCount },
  probability: { what: "a number from 0 to 1", test: (value) => typeof value === "number" && value >= 0 && value <= 1 },
  seed: { what: "a whole number", test: isCount },
  ms: { what: "a whole number of milliseconds", test: isCount },
  runs: { what: "true or false", test: (value) => typeof value === "boolean" },
};

function checkSetting(name: string, value: unknown): void {
  const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
  if (!setting) throw new Error(`a fault has no setting "${name}"; there are: ${Object.keys(SETTINGS).join(", ")}`);
  if (!setting.test(value)) throw new Error(`a fault's ${name} is ${setting.what}`);
}
