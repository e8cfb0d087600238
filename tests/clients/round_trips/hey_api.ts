import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { client } from "./holdall/client.gen";
import * as holdall from "./holdall/sdk.gen";

const throwOnError = true;

async function bytes(from: Blob | Response): Promise<Buffer> {
  return Buffer.from(await from.arrayBuffer());
}

async function main(url: string, picture: string): Promise<void> {
  client.setConfig({ baseUrl: url });
  const who = { username: "ada", password: "7 grey herons over" };
  const wrong = await holdall.authToken({ body: { ...who, password: "wrong" } });
  assert.deepEqual([wrong.response?.status, wrong.error?.status], [401, 401]);
  const { data: tokens } = await holdall.authToken({ body: who, throwOnError });
  client.setConfig({ baseUrl: url, auth: tokens.access_token });

  const data = crypto.getRandomValues(Buffer.alloc(60_000));
  const path = { id: "hey api/a é.bin" };
  const body = new Blob([data]);
  const create = { path, body, headers: { "If-None-Match": "*" } };
  const { data: blob } = await holdall.blobsPutContent({ ...create, throwOnError });
  assert.deepEqual([blob.id, blob.size], [path.id, data.length]);
  assert.equal((await holdall.blobsPutContent(create)).error?.status, 412);
  const { data: whole } = await holdall.blobsGetContent({ path, throwOnError });
  assert.deepEqual(await bytes(whole), data);
  const range = { path, headers: { Range: "bytes=10-19" }, throwOnError } as const;
  const { data: part } = await holdall.blobsGetContent(range);
  assert.deepEqual(await bytes(part), data.subarray(10, 20));

  const upload = new File([data], "a é.bin");
  const { data: file } = await holdall.filesCreate({
    body: { file: upload, expires_in: 3600 },
    throwOnError,
  });
  assert.deepEqual([file.name, file.size], ["a é.bin", data.length]);
  assert.deepEqual(await bytes(await fetch(`${file.link}?download=1`)), data);

  const { data: timelink } = await holdall.timelinksCreate({
    body: { kind: "blob", id: path.id, time: 600 },
    throwOnError,
  });
  assert.deepEqual(await bytes(await fetch(`${timelink.url}?download=1`)), data);

  const img = new File([Uint8Array.from(await readFile(picture))], "red.png");
  const { data: made } = await holdall.picturesCreate({ body: { name: "red", img }, throwOnError });
  assert.deepEqual([made.width, made.height], [600, 400]);
  const { data: thumbnail } = await holdall.picturesGetThumbnail({
    path: { id: made.id, height: 200 },
    throwOnError,
  });
  assert.deepEqual((await bytes(thumbnail)).subarray(0, 3), Buffer.from("ffd8ff", "hex"));

  const { data: dump } = await holdall.dumpsCreate({
    body: { file: new File([data], "a.dmp"), label: "acme 1.4" },
    throwOnError,
  });
  assert.deepEqual([dump.original_name, dump.label], ["a.dmp", "acme 1.4"]);
  const of = { path: { id: dump.id }, throwOnError } as const;
  const { data: replaced } = await holdall.dumpsReplace({
    ...of,
    body: { file: new File([data.subarray(1)], "b.dmp"), label: "acme 1.5" },
  });
  assert.deepEqual([replaced.original_name, replaced.label], ["b.dmp", "acme 1.5"]);
  const { data: changed } = await holdall.dumpsUpdate({ ...of, body: { label: null } });
  assert.deepEqual([changed.original_name, changed.label], ["b.dmp", null]);
  const { data: dumped } = await holdall.dumpsGetContent(of);
  assert.deepEqual(await bytes(dumped), data.subarray(1));
}

const [url, picture] = process.argv.slice(2);
main(url!, picture!);
