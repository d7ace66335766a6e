// Runs curl, and holds what it sends to the frame that `framesign inspect` makes of the same line.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/** HOST stands for the address of a server here. */
const LINES = [
  "curl HOST",
  "curl http://HOST/a/../b/./c?x=1#y",
  "curl --path-as-is http://HOST/a/../b",
  "curl http://HOST/..%2f/../x/",
  "curl 'HOST/%2f/%41?%zz'",
  "curl -I HOST/h",
  "curl -X POST HOST",
  "curl -d a=1 -d b=2 HOST",
  "curl -X PUT -d '' HOST",
  "curl --data-raw @x HOST",
  "curl --data-urlencode 'n=a b&é/~' --data-urlencode =x --data-urlencode 'y z' HOST",
  "curl --json '[1' --json ',2]' HOST",
  "curl --json 1 -H 'Accept: text/plain' HOST",
  "curl -d a -H 'Content-Type: text/plain' -H 'X;' -H 'Accept:' -H 'nocolon' HOST",
  "curl -u u:p -A me -e http://r -b a=1 -b 'c=2; d=3' -r 0-9 HOST",
  "curl -G -d a=1 -d b=2 'HOST/p?x=1'",
  "curl -G -I --data-urlencode 'a=b c' HOST/p",
  "curl $'HOST/\\'x' -d $'a\\nb\\t\\x41'",
  "curl -H 'Host: other.example' -H 'A:b' -H 'A:  c  ' HOST/x",
  "curl --request-target '*' -X OPTIONS HOST",
  "curl -A '' --oauth2-bearer token HOST",
  "curl -g 'HOST/[1]{a}'",
];

/** Returns the number of lines that were compared. `address` is that of the page. */
export async function holdAgainstCurl(address) {
  const version = execFileSync("curl", ["--version"], { encoding: "utf8" }).split(" ")[1];
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${server.address().port}`;
  for (const template of LINES) {
    const line = template.replaceAll("HOST", host);
    const sent = (await sentBy(server, line)).replace(`curl/${version}`, "curl/8.5.0");
    assert.deepEqual(sorted(await madeOf(address, line)), sorted(sent), line);
  }
  server.close();
  return LINES.length;
}

/** The request that curl sends, read to the end of its body. */
async function sentBy(server, line) {
  const connected = once(server, "connection");
  const shell = spawn("bash", ["-c", `${line} --silent --output /dev/null --http1.1 --max-time 20`], { stdio: "ignore" });
  const ended = once(shell, "exit");
  const [socket] = await connected;
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf("\r\n\r\n");
    const length = /^content-length: *(\d+)/im.exec(received.subarray(0, end).toString("latin1"))?.[1] ?? 0;
    if (end >= 0 && received.length >= end + 4 + Number(length)) break;
    assert.ok(received.length < 1e6, line);
  }
  socket.destroy();
  await ended;
  return received.toString("latin1");
}

async function madeOf(address, line) {
  const response = await fetch(`${address}explain`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ kind: "curl", input: line }),
  });
  const answer = await response.json();
  assert.ok(answer.frame, `${line}: ${answer.error?.message}`);
  return Buffer.from(answer.frame.bytes_b64, "base64").toString("latin1");
}

/** Request line, fields by name, body: in which order names stand is not signed, and changes with curl. */
function sorted(frame) {
  const [head, ...body] = frame.split("\r\n\r\n");
  const [request, ...fields] = head.split("\r\n");
  const name = (field) => field.split(":")[0].toLowerCase();
  fields.sort((one, other) => (name(one) < name(other) ? -1 : Number(name(one) > name(other))));
  return [request, ...fields, body.join("\r\n\r\n")];
}
