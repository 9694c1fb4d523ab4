import { defineConfig } from "vitest/config";
import { luaModule } from "./src/build/lua.ts";

export default defineConfig({
  plugins: [{ name: "lua", load: (id) => (id.endsWith(".lua") ? luaModule(id) : undefined) }],
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/build.ts",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // A shared machine stalls now and then, and some tests watch the clock: there a second try counts, and is printed.
    retry: process.env.CI ? 1 : 0,
  },
});
