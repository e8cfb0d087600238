// Uploads a file by tus-js-client, or goes on with it, and prints each answer as a line of JSON.

import { createReadStream } from "node:fs";

import * as tus from "tus-js-client";

const [endpoint, token, path, metadata, chunkSize, answersToLive] = process.argv.slice(2);
let left = Number(answersToLive);

function tell(request, response) {
  const [offset, made] = ["Upload-Offset", "Content-Location"].map((name) => response.getHeader(name));
  const method = request.getMethod();
  console.log(JSON.stringify({ method, status: response.getStatus(), offset: Number(offset), made }));
  left -= 1;
  if (left === 0) process.kill(process.pid, "SIGKILL");
}

const upload = new tus.Upload(createReadStream(path), {
  endpoint,
  chunkSize: Number(chunkSize),
  headers: { Authorization: `Bearer ${token}` },
  metadata: JSON.parse(metadata),
  retryDelays: [0, 100, 300, 1000, 3000, 5000],
  urlStorage: new tus.FileUrlStorage(`${path}.uploads`),
  onAfterResponse: tell,
  onError: (error) => {
    throw error;
  },
});
const [previous] = await upload.findPreviousUploads();
if (previous) upload.resumeFromPreviousUpload(previous);
upload.start();
