// Uploads a file with node:http. Call: node upload_http.mjs FILE URL

import { once } from "node:events";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { request } from "node:http";
import { sha256OfFile, signedFields } from "./signing.mjs";

const [path, address] = process.argv.slice(2);
const url = new URL(address);
const { size } = await stat(path);

// All there is: with these two given, node:http adds Connection alone.
const fields = [["host", url.host], ["content-length", size]];
const signed = signedFields("PUT", url, fields, await sha256OfFile(path));
const upload = request(url, { method: "PUT", headers: Object.fromEntries([...fields, ...signed]) });
// It concerns one connection, so a proxy drops it.
upload.removeHeader("connection");
createReadStream(path).pipe(upload);
const [response] = await once(upload, "response");
response.resume();
console.log(response.statusCode);
