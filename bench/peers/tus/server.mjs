// The tus project's own server for Node.js, with its store of plain files, as its documentation starts it.

import { createServer } from "node:http";

import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [directory, port] = process.argv.slice(2);
const tus = new Server({ path: "/files", datastore: new FileStore({ directory }) });
createServer((request, response) =>
  request.url === "/healthz" ? response.end("ok") : tus.handle(request, response),
).listen(Number(port), "127.0.0.1");
