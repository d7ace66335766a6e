// A process that uploads a file in parts and says what fails, for tests that kill it or look at its memory.
// Call: node uploader.js FILE URL STATE PART-SIZE; the keys are in the environment.

import { Credentials, RequestSigner, upload } from "../src/index.js";

const { FRAMESIGN_ACCESS_KEY, FRAMESIGN_SECRET_KEY } = process.env;
const [file, url, state, partSize] = process.argv.slice(2);
if (file) {
  let most = 0;
  setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 2).unref();
  const signer = new RequestSigner(new Credentials(FRAMESIGN_ACCESS_KEY, FRAMESIGN_SECRET_KEY));
  const uploaded = await upload(file, url, { signer, state, partSize: Number(partSize), notify: console.error });
  console.log(JSON.stringify({ ...uploaded, most }));
}
