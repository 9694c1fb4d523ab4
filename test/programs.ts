/** Programs that some tests need beside Node and npm. */
import { spawnSync } from "node:child_process";

/** Is it installed? Without it a test is left out, and its name says so; never in CI, which installs all of them. */
export const hasProgram = (name: string): boolean => Boolean(process.env.CI) || spawnSync(name, ["--version"]).status === 0;
