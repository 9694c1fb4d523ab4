/** `counts FILE…`: add up vitest's JSON reports and print the one line that says how it went. */
import { readFileSync } from "node:fs";

type Report = { numPassedTests: number; numFailedTests: number; numPendingTests: number; success: boolean };
const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")) as Report);
const sum = (count: keyof Omit<Report, "success">) => reports.reduce((total, report) => total + report[count], 0);

console.log(`${sum("numPassedTests")} passed, ${sum("numFailedTests")} failed, ${sum("numPendingTests")} skipped`);
process.exitCode = reports.length > 0 && reports.every(({ success }) => success) ? 0 : 1;
