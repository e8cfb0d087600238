import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import createClient from "openapi-fetch";

import type { paths } from "./holdall";

const parseAs = "arrayBuffer";

function form(fields: Record<string, string | File>): () => FormData {
  const form = new FormData();
  Object.entries(fields).forEach(([name, value]) => form.append(name, value));
  return () => form;
}

async function fetched(url: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(url)).arrayBuffer());
}

async function main(baseUrl: string, picture: string): Promise<void> {
  const client = createClient<paths>({ baseUrl });
  const who = { username: "ada", password: "7 grey herons over" };
  const urlencoded = { headers: { "Content-Type": "application/x-www-form-urlencoded" } };
  const wrong = { ...who, password: "wrong" };
  const refused = await client.POST("/v1/auth/token", { body: wrong, ...urlencoded });
  assert.equal(refused.error?.status, 401);
  const { data: tokens } = await client.POST("/v1/auth/token", { body: who, ...urlencoded });
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens!.access_token}`);
    },
  });

  const data = crypto.getRandomValues(Buffer.alloc(60_000));
  const id = "openapi-fetch/a é.bin";
  const raw = { body: "", bodySerializer: () => data };
  const headers = { "Content-Type": "application/octet-stream" };
  const params = { path: { id }, header: { "If-None-Match": "*" } };
  const create = { params, ...raw, headers };
  const { data: blob } = await client.PUT("/v1/blobs/{id}/content", create);
  assert.deepEqual([blob?.id, blob?.size], [id, data.length]);
  const again = await client.PUT("/v1/blobs/{id}/content", create);
  assert.equal(again.error?.status, 412);
  const of = { params: { path: { id } }, parseAs } as const;
  const { data: whole } = await client.GET("/v1/blobs/{id}/content", of);
  assert.deepEqual(Buffer.from(whole!), data);
  const { data: part } = await client.GET("/v1/blobs/{id}/content", {
    params: { path: { id }, header: { Range: "bytes=10-19" } },
    parseAs,
  });
  assert.deepEqual(Buffer.from(part!), data.subarray(10, 20));

  const upload = new File([data], "a é.bin");
  const { data: file } = await client.POST("/v1/files", {
    body: { file: "" },
    bodySerializer: form({ file: upload, expires_in: "3600" }),
  });
  assert.deepEqual([file?.name, file?.size], ["a é.bin", data.length]);
  assert.deepEqual(await fetched(`${file!.link}?download=1`), data);

  const { data: timelink } = await client.POST("/v1/timelinks", {
    body: { kind: "blob", id, time: 600 },
  });
  assert.deepEqual(await fetched(`${timelink!.url}?download=1`), data);

  const img = new File([Uint8Array.from(await readFile(picture))], "red.png");
  const { data: made } = await client.POST("/v1/pictures", {
    body: { name: "", img: "" },
    bodySerializer: form({ name: "red", img }),
  });
  assert.deepEqual([made?.width, made?.height], [600, 400]);
  const { data: thumbnail } = await client.GET("/v1/pictures/{id}/thumbnails/{height}", {
    params: { path: { id: made!.id, height: 200 } },
    parseAs,
  });
  assert.deepEqual(Buffer.from(thumbnail!).subarray(0, 3), Buffer.from("ffd8ff", "hex"));

  const { data: dump } = await client.POST("/v1/dumps", {
    body: { file: "" },
    bodySerializer: form({ file: new File([data], "a.dmp"), label: "acme 1.4" }),
  });
  assert.deepEqual([dump?.original_name, dump?.label], ["a.dmp", "acme 1.4"]);
  const ofDump = { params: { path: { id: dump!.id } } };
  const { data: changed } = await client.PATCH("/v1/dumps/{id}", {
    ...ofDump,
    body: {},
    bodySerializer: form({ file: new File([data.subarray(1)], "b.dmp") }),
  });
  assert.deepEqual([changed?.original_name, changed?.label], ["b.dmp", "acme 1.4"]);
  const { data: described } = await client.PATCH("/v1/dumps/{id}", {
    ...ofDump,
    body: { label: null },
  });
  assert.deepEqual([described?.original_name, described?.label], ["b.dmp", null]);
  const { data: dumped } = await client.GET("/v1/dumps/{id}/content", { ...ofDump, parseAs });
  assert.deepEqual(Buffer.from(dumped!), data.subarray(1));
}

const [url, picture] = process.argv.slice(2);
main(url!, picture!);
