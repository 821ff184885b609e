import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a server: `npm run mock`, or a real one named by LUNETTE. */
const backend = process.env.LUNETTE ?? "http://127.0.0.1:8099";

/** Embedders load `player.js` alone, so it must not pull in another chunk before it can start. */
const playerStandsAlone: Plugin = {
  name: "player-stands-alone",
  generateBundle(_options, bundle) {
    const player = bundle["player.js"];
    if (player?.type !== "chunk") this.error("the build made no player.js");
    if (player.imports.length > 0) this.error(`player.js imports ${player.imports.join(", ")}`);
  },
};

export default defineConfig({
  base: "./",
  plugins: [playerStandsAlone],
  build: {
    target: "es2022",
    modulePreload: false,
    rolldownOptions: {
      input: { index: "index.html", wall: "wall.html", player: "src/player.ts" },
      output: {
        entryFileNames: (chunk) => (chunk.name === "player" ? "player.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": backend,
      "/stream": { target: backend, ws: true },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
