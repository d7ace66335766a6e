// Every signing vector, read strictly and leniently, in every way of cutting it.

import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { stringToSign } from "../src/key.js";
import { FrameHasher } from "../src/signing.js";
import { CREDENTIALS, DATE, cases, file, ways } from "./support.js";

const KEY = CREDENTIALS.keyOf(DATE);

/** The three stages, or the kind and the offset of the error. */
function stages(chunks, rules) {
  const hasher = new FrameHasher(rules);
  try {
    for (const chunk of chunks) hasher.update(chunk);
    const canonical = hasher.finish();
    return { canonical, stringToSign: stringToSign(canonical), signature: KEY.sign(canonical) };
  } catch (error) {
    if (!error.kind) throw error;
    return { kind: error.kind, offset: error.offset };
  }
}

/** What the files of a vector say, without the offset. */
function expected(folder, reading) {
  const of = (stage) => file(folder, `${reading}.${stage}`) ?? file(folder, `both.${stage}`);
  const line = (stage) => of(stage)?.toString().trim();
  if (line("error")) return { kind: line("error") };
  const canonical = of("canonical-request").toString("latin1");
  return { canonical, stringToSign: line("string-to-sign"), signature: line("signature") };
}

for (const { folder, frame } of cases("vectors")) {
  test(`vector ${basename(folder)}`, () => {
    for (const reading of ["strict", "lenient"]) {
      const rules = { strict: reading === "strict" };
      const whole = stages([frame], rules);
      const { offset, ...withoutOffset } = whole;
      assert.deepEqual(withoutOffset, expected(folder, reading));
      for (const chunks of ways(frame)) {
        // The offset too is the same, however the frame is cut.
        assert.deepEqual(stages(chunks, rules), whole);
      }
    }
  });
}
