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
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
