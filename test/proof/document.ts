/** The public API document as tests use it: its operations, and whether an answer is one that it declares. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

export type JsonSchema = Record<string, any>;
export type Operation = {
  /** `POST /v1/products/{id}/purchase` */
  name: string;
  method: string;
  path: string;
  parameters: { name: string; in: "path" | "query" | "header"; required: boolean; schema: JsonSchema }[];
  body: JsonSchema | undefined;
  responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>;
};

export const document = JSON.parse(readFileSync(join(import.meta.dirname, "../../build/assets/openapi.json"), "utf8"));

/** What stands behind a signature has tests of its own. */
const elsewhere = /^\/v1\/webhooks\//;

/** Every operation that an API key or a session opens. */
export const operations: Operation[] = Object.entries(document.paths as Record<string, Record<string, any>>)
  .filter(([path]) => !elsewhere.test(path))
  .flatMap(([path, item]) =>
    Object.entries(item).map(([method, { parameters, requestBody, responses }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content["application/json"].schema,
      responses,
    })),
  );

export const isWrite = ({ parameters }: Operation) => parameters.some(({ name }) => name === "Idempotency-Key");

const ajv = new Ajv2020({ strict: false, validateFormats: false, unicodeRegExp: true });
ajv.addSchema(document, "onehop");
const validators = new Map<string, ValidateFunction>();

function validatorOf({ method, path }: Operation, status: number, type: string): ValidateFunction {
  const pointer = ["paths", path, method.toLowerCase(), "responses", String(status), "content", type, "schema"]
    .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
    .join("/");
  const validate = validators.get(pointer) ?? ajv.compile({ $ref: `onehop#/${pointer}` });
  validators.set(pointer, validate);
  return validate;
}

/** What is wrong with an answer, or undefined when the document declares it. */
export function undeclared(operation: Operation, { status, headers, text }: { status: number; headers: Headers; text: string }): string | undefined {
  const response = operation.responses[status];
  if (status === 500) return `500: ${text.slice(0, 200)}`;
  if (!response) return `${status} is not declared: ${text.slice(0, 200)}`;
  const type = (headers.get("Content-Type") ?? "").replace(/;.*/, "");
  if (!response.content) return text === "" ? undefined : `${status} has a body`;
  if (!response.content[type]) return `${status} comes as ${type}`;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return `${status} is not JSON`;
  }
  const validate = validatorOf(operation, status, type);
  return validate(body)
    ? undefined
    : `${status} does not match its schema: ${ajv.errorsText(validate.errors).slice(0, 200)} in ${text.slice(0, 200)}`;
}
