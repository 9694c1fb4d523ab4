declare module "*.lua" {
  /** See src/build/lua.ts. */
  const file: { path: string; lua: string; parts: readonly string[]; prepare?: string };
  export default file;
}
