// Uploads a file with Node's fetch. Call: node upload_fetch.mjs FILE URL [direct]

import { openAsBlob } from "node:fs";
import { sha256OfFile, signedFields } from "./signing.mjs";

const [path, address, way] = process.argv.slice(2);
const url = new URL(address);
const body = await openAsBlob(path);

// What fetch lets us set: given here, it keeps its own values out.
const explicit = [
  ["accept", "*/*"],
  ["accept-encoding", "identity"],
  ["accept-language", "*"],
  ["content-type", "application/octet-stream"],
  ["user-agent", "uploader/1"],
];
// What fetch sets, whatever we say. It always sends `connection`, which a proxy drops.
const forced = [
  ["host", url.host],
  ["content-length", body.size],
  ["sec-fetch-mode", "cors"],
  ...(way === "direct" ? [["connection", "keep-alive"]] : []),
];
const signed = signedFields("PUT", url, [...explicit, ...forced], await sha256OfFile(path));
const headers = [...explicit, ...signed];
// A redirect would send the signature to another target.
const response = await fetch(url, { method: "PUT", body, headers, redirect: "manual" });
console.log(response.status);
