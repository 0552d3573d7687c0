// Bundles the player into dist/: one script and one style sheet, the same bytes on every machine.
import { build } from "esbuild";

const shared = { bundle: true, minify: true, charset: "utf8", legalComments: "inline", logLevel: "warning", target: "es2022" };

await build({ ...shared, entryPoints: ["src/main.js"], format: "iife", outfile: "dist/player.js" });
await build({ ...shared, entryPoints: ["src/player.css"], outfile: "dist/player.css" });
