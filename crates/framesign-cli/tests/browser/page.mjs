// The page of `framesign inspect` in Chromium, for `check` beside it.
// Call: node page.mjs FRAMESIGN FOLDER

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { holdAgainstCurl } from "./curl.mjs";

const [framesign, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE = "20230801";
/** The most bytes of a screenshot of the documents. */
const MAX_IMAGE = 300 * 1024;

let checks = 0;

/** Starts the program, and gives the address that it prints. */
async function start(environment = {}) {
  const child = spawn(framesign, ["inspect"], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const written = { err: "" };
  child.stderr.on("data", (data) => (written.err += data));
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const line = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    ended.then((code) => reject(new Error(`it ended with ${code}: ${written.err}`)));
  });
  return { child, ended, written, address: line };
}

/** A page that fails the check if anything goes wrong in it. */
async function open(browser, address, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1480, height: 1000 },
    reducedMotion: "reduce",
    colorScheme: "light",
    ...options,
  });
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => request.url().startsWith(address) || problems.push(`asked ${request.url()}`));
  await page.goto(address);
  await page.waitForFunction(() => document.getElementById("version").textContent.includes("."));
  return { page, problems, close: () => context.close() };
}

/** axe-core finds nothing, in the whole page as it is now. */
async function accessible(page, state) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} (${node.failureSummary})`).join("; ")}`);
  });
  assert.deepEqual(found, [], `axe-core, ${state}`);
  checks += 1;
}

async function explain(page) {
  await page.evaluate(() => (document.getElementById("result").replaceChildren()));
  await page.click("button.primary");
  await page.waitForSelector("#verdict-title");
}

async function verdict(page) {
  return page.textContent("#verdict-title");
}

function has(text, part) {
  assert.ok(text.includes(part), `expected ${JSON.stringify(part)} in ${JSON.stringify(text)}`);
  checks += 1;
}

async function fillKeys(page) {
  await page.fill("#access-key", ACCESS_KEY);
  await page.fill("#secret-key", SECRET_KEY);
  await page.fill("#date", DATE);
}

/** A frame, its picture, and that each canonical byte shows where it comes from. */
async function frame(page) {
  await fillKeys(page);
  await page.fill("#input", "GET /a%2fb?q=x+y HTTP/1.1\nHost: test.com\nX-A: 1\nx-a: 2\n folded\n\n");
  await explain(page);
  has(await verdict(page), "This is how the request is signed");
  const signature = await page.textContent(".stage.signature .hex");
  assert.match(signature, /^[0-9a-f]{64}$/);
  const canonical = await page.textContent(".canonical .line:nth-child(3) .text");
  has(canonical, "q=x%20y");
  has(await page.textContent(".rules"), "5.2");
  has(await page.textContent(".rules"), "7.14");
  has(await page.textContent(".legend"), "folded line");
  assert.equal(await page.locator(".keys .hex").count(), 0);
  assert.ok((await page.locator("svg .wire").count()) >= 5, "wires are drawn");
  // The plus sign lights up with what became of it, and the wire between them.
  const plus = page.locator('.frame .seg[data-mark="plus"]');
  await plus.hover();
  assert.equal(await page.locator(".canonical .seg.hot").first().textContent(), "%20");
  assert.equal(await page.locator("svg .wire.lit").count(), 1);
  await accessible(page, "a frame");
  return signature;
}

/** The keys of both steps, only if asked for. */
async function keys(page) {
  await page.check("#show-keys");
  await explain(page);
  assert.equal(await page.locator(".keys .hex").count(), 2);
  await accessible(page, "keys shown");
  await page.uncheck("#show-keys");
}

async function mismatch(page) {
  await page.click("#example");
  await page.waitForSelector(".verdict.bad");
  has(await verdict(page), "The cause: ");
  has(await page.textContent(".verdict"), "5.2");
  has(await page.textContent(".differences"), "%2B");
  await accessible(page, "a mismatch");
}

/** The other side has the same, one stage after the other. */
async function equal(page, signature) {
  for (const stage of [signature, await page.textContent(".to-sign .hex")]) {
    await page.fill("#other", stage);
    await explain(page);
    has(await verdict(page), "Equal");
  }
  await accessible(page, "equal sides");
  await page.fill("#other", "0".repeat(64));
  await explain(page);
  has(await verdict(page), "no single change");
  await accessible(page, "no cause");
  await page.fill("#other", "");
}

async function refused(page) {
  await page.check("input[name=reading][value=strict]");
  await page.fill("#input", "GET / HTTP/1.1\nHost: h\nX-A: 1\n folded\n\n");
  await explain(page);
  has(await verdict(page), "Refused (obs-fold)");
  has(await page.textContent(".verdict"), "7.14");
  assert.equal(await page.locator(".seg.refused").count(), 1);
  await accessible(page, "a refused frame");
  await page.check("input[name=reading][value=lenient]");
}

async function curl(page, signature) {
  await page.check("input[name=kind][value=curl]", { force: true });
  await page.fill("#input", "curl 'http://test.com/a%2fb?q=x+y' \\\n  -H 'X-A: 1' -H 'x-a: 2 folded' -H 'User-Agent:' -H 'Accept:'");
  await explain(page);
  assert.equal(await page.textContent(".stage.signature .hex"), signature);
  checks += 1;
  await page.fill("#input", "curl -T file http://test.com/");
  await explain(page);
  has(await verdict(page), "at byte 5");
  await accessible(page, "a curl line that is refused");
}

async function har(page, signature) {
  await page.check("input[name=kind][value=har]", { force: true });
  const headers = [["Host", "test.com"], ["X-A", "1"], ["x-a", "2 folded"]].map(([name, value]) => ({ name, value }));
  const requests = [
    { method: "GET", url: "http://other.example/", headers: [] },
    { method: "GET", url: "http://test.com/a%2fb?q=x+y", headers },
  ];
  const file = { log: { version: "1.2", entries: requests.map((request) => ({ request })) } };
  await page.setInputFiles("#file", { name: "a.har", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(file)) });
  await page.waitForSelector("#entry option:nth-child(2)", { state: "attached" });
  await page.selectOption("#entry", "1");
  await explain(page);
  assert.equal(await page.textContent(".stage.signature .hex"), signature);
  checks += 1;
  await accessible(page, "an entry of a HAR file");
}

/** Exact bytes of a file: an LF that a text field could not tell from CRLF. */
async function bytes(page) {
  await page.check("input[name=kind][value=frame]", { force: true });
  await page.check("input[name=reading][value=strict]");
  const buffer = Buffer.from("GET / HTTP/1.1\r\nHost: h\nA: \xe9\r\n\r\n", "latin1");
  await page.setInputFiles("#file", { name: "a.http", mimeType: "message/http", buffer });
  await page.waitForSelector("#exact:not([hidden])");
  await explain(page);
  has(await verdict(page), "Refused (bare-lf)");
  await page.check("input[name=reading][value=lenient]");
  await explain(page);
  has(await page.textContent(".frame"), "\\xE9");
  await accessible(page, "exact bytes");
  await page.click("#drop-file");
}

/** From the first key to the cause, and to the bytes of a rule, without a pointer. */
async function keyboard(browser, address) {
  const { page, problems, close } = await open(browser, address);
  const reach = async (selector) => {
    for (let count = 0; count < 60; count += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    }
    assert.fail(`Tab does not reach ${selector}`);
  };
  await reach(".skip");
  await reach("#theme");
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute("#theme", "aria-pressed"), "true");
  await reach("#example");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".verdict.bad");
  has(await page.textContent("#status"), "The cause");
  assert.equal(await page.evaluate(() => document.activeElement.id), "result");
  await reach(".part");
  assert.ok((await page.locator(".seg.hot").count()) > 0, "the focus lights up");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-pressed")), "true");
  await reach(".rules button");
  await page.keyboard.press("Space");
  assert.ok((await page.locator(".canonical .seg.hot").count()) > 0, "the rule lights up");
  assert.equal(await page.locator('#result [aria-pressed="true"]').count(), 1);
  await accessible(page, "the keyboard alone, dark");
  // The request is asked again from within the text.
  await page.focus("#input");
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => document.getElementById("status").textContent.includes("The cause"));
  assert.deepEqual(problems, []);
  await close();
  checks += 4;
}

/** Light, dark by the system, dark and light by the switch, narrow: axe-core in each, and the two images. */
async function themes(browser, address) {
  for (const [scheme, width] of [["light", 1480], ["dark", 1480], ["light", 390], ["dark", 390]]) {
    const { page, problems, close } = await open(browser, address, { colorScheme: scheme, viewport: { width, height: 900 } });
    await accessible(page, `empty, ${scheme}, ${width}`);
    await page.click("#example");
    await page.waitForSelector(".verdict.bad");
    await page.evaluate(() => document.fonts.ready);
    await accessible(page, `a mismatch, ${scheme}, ${width}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${width}: ${overflow} pixels too wide`);
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await colour();
    await page.click("#theme");
    assert.notEqual(await colour(), before, "the switch changes the colours");
    await accessible(page, `switched from ${scheme}, ${width}`);
    await page.click("#theme");
    assert.equal(await colour(), before);
    if (width > 1000) await image(page, scheme);
    assert.deepEqual(problems, [], `${scheme}, ${width}`);
    await close();
  }
}

/** A head as long as it may be, each byte of which is a piece of its own. */
async function long(browser, address) {
  const pluses = 60_000;
  const { page, problems, close } = await open(browser, address);
  await fillKeys(page);
  await page.fill("#input", `GET /?a=${"+".repeat(pluses)} HTTP/1.1\nHost: h\n\n`);
  await explain(page);
  assert.equal(await page.locator('.frame .seg[data-mark="plus"]').count(), pluses);
  await page.locator(".rules button", { hasText: "5.2" }).first().click();
  assert.equal(await page.locator(".canonical .seg.hot").count(), pluses);
  assert.deepEqual(problems, []);
  checks += 2;
  await close();
}

async function image(page, scheme) {
  await page.evaluate(() => document.activeElement.blur());
  await page.locator(".rules button", { hasText: "5.2" }).click();
  await page.mouse.move(0, 0);
  const path = join(folder, `inspect-${scheme}.png`);
  writeFileSync(path, await page.screenshot({ fullPage: true }));
  execFileSync("pngquant", ["--force", "--strip", "--output", path, "--", path]);
  const { size } = statSync(path);
  assert.ok(size <= MAX_IMAGE, `${path}: ${size} bytes`);
}

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: CHROMIUM, args: sandbox });
const served = await start();
try {
  const { page, problems, close } = await open(browser, served.address);
  await accessible(page, "empty");
  const signature = await frame(page);
  await keys(page);
  await equal(page, signature);
  await refused(page);
  await curl(page, signature);
  await har(page, signature);
  await bytes(page);
  await mismatch(page);
  assert.deepEqual(problems, []);
  await close();
  await keyboard(browser, served.address);
  await themes(browser, served.address);
  await long(browser, served.address);
  checks += await holdAgainstCurl(served.address);
} finally {
  await browser.close();
  served.child.kill("SIGTERM");
}
assert.equal(await served.ended, 0);
assert.equal(served.written.err, "");
console.log(`inspect: ${checks} checks`);
