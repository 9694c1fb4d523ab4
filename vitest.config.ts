import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    {
      name: "lua",
      transform: (source, id) => (id.endsWith(".lua") ? `export default ${JSON.stringify(source)};` : undefined),
    },
  ],
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
