/** Lets Node import .lua files as the bundler does. Use: `node --import ./src/build/lua-loader.ts …` */
import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { luaModule } from "./lua.ts";

registerHooks({
  resolve(specifier, context, nextResolve) {
    return specifier.endsWith(".lua") && specifier.startsWith("/")
      ? { url: pathToFileURL(specifier).href, shortCircuit: true, format: "module" }
      : nextResolve(specifier, context);
  },
  load(url, context, nextLoad) {
    if (!url.endsWith(".lua")) return nextLoad(url, context);
    return { format: "module", shortCircuit: true, source: luaModule(fileURLToPath(url)) };
  },
});
