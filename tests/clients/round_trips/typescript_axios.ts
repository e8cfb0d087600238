import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import axios, { isAxiosError } from "axios";

import {
  AuthApi,
  BlobsApi,
  Configuration,
  DumpsApi,
  FilesApi,
  PicturesApi,
  TimelinksApi,
  type Problem,
} from "./holdall";

const responseType = "arraybuffer";

async function fetched(url: string): Promise<Buffer> {
  return (await axios.get<Buffer>(url, { responseType })).data;
}

function received(data: unknown): Buffer {
  assert(Buffer.isBuffer(data)); // the generated type says File
  return data;
}

async function problem(failing: Promise<unknown>): Promise<Problem> {
  const error = await failing.catch((error: unknown) => error);
  assert(isAxiosError<Problem>(error));
  return error.response!.data;
}

async function main(basePath: string, picture: string): Promise<void> {
  const auth = new AuthApi(new Configuration({ basePath }));
  const wrong = auth.authToken({ username: "ada", password: "wrong" });
  assert.equal((await problem(wrong)).status, 401);
  const who = { username: "ada", password: "7 grey herons over" };
  const { data: tokens } = await auth.authToken(who);
  const configuration = new Configuration({ basePath, accessToken: tokens.access_token });

  const blobs = new BlobsApi(configuration);
  const data = crypto.getRandomValues(Buffer.alloc(60_000));
  const id = "axios/a é.bin";
  const create = { id, body: new File([data], ""), ifNoneMatch: "*" };
  const { data: blob } = await blobs.blobsPutContent(create);
  assert.deepEqual([blob.id, blob.size], [id, data.length]);
  assert.equal((await problem(blobs.blobsPutContent(create))).status, 412);
  const { data: whole } = await blobs.blobsGetContent({ id }, { responseType });
  assert.deepEqual(received(whole), data);
  const range = { id, range: "bytes=10-19" };
  const { data: part } = await blobs.blobsGetContent(range, { responseType });
  assert.deepEqual(received(part), data.subarray(10, 20));

  const upload = new File([data], "a é.bin");
  const { data: file } = await new FilesApi(configuration).filesCreate({
    file: upload,
    expiresIn: 3600,
  });
  assert.deepEqual([file.name, file.size], ["a é.bin", data.length]);
  assert.deepEqual(await fetched(`${file.link}?download=1`), data);

  const { data: timelink } = await new TimelinksApi(configuration).timelinksCreate({
    newTimelink: { kind: "blob", id, time: 600 },
  });
  assert.deepEqual(await fetched(`${timelink.url}?download=1`), data);

  const pictures = new PicturesApi(configuration);
  const img = new File([Uint8Array.from(await readFile(picture))], "red.png");
  const { data: made } = await pictures.picturesCreate({ name: "red", img });
  assert.deepEqual([made.width, made.height], [600, 400]);
  const { data: thumbnail } = await pictures.picturesGetThumbnail(
    { id: made.id, height: 200 },
    { responseType },
  );
  assert.deepEqual(received(thumbnail).subarray(0, 3), Buffer.from("ffd8ff", "hex"));

  const dumps = new DumpsApi(configuration);
  const { data: dump } = await dumps.dumpsCreate({
    file: new File([data], "a.dmp"),
    label: "acme 1.4",
  });
  assert.deepEqual([dump.original_name, dump.label], ["a.dmp", "acme 1.4"]);
  const { data: changed } = await dumps.dumpsUpdate({
    id: dump.id,
    file: new File([data.subarray(1)], "b.dmp"),
    archived: true,
  });
  assert.deepEqual([changed.original_name, changed.label], ["b.dmp", "acme 1.4"]);
  assert.equal(changed.archived, true);
  const { data: dumped } = await dumps.dumpsGetContent({ id: dump.id }, { responseType });
  assert.deepEqual(received(dumped), data.subarray(1));
}

const [url, picture] = process.argv.slice(2);
main(url!, picture!);
