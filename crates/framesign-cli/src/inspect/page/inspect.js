// The form of the page: what is pasted goes to the process, and its answer becomes the picture.

import { toBase64 } from "./bytes.js";
import { EXAMPLE } from "./examples.js";
import { picture } from "./picture.js";
import { differences, verdict } from "./verdict.js";

const at = (id) => document.getElementById(id);
const form = at("ask");
const result = at("result");

const KINDS = {
  frame: {
    label: "Raw frame",
    hint: "Request line, headers, an empty line, payload. A text field knows no CR: choose a file for exact bytes.",
  },
  curl: {
    label: "curl command",
    hint: "A line for bash, as browsers copy it. It is not run, and no file is opened.",
  },
  har: {
    label: "HAR file",
    hint: "HTTP Archive 1.2, as the network panel of a browser saves it. Paste it, or choose the file.",
  },
};

/** The bytes of a chosen file, which replace the text. */
let exact = null;

function kind() {
  return form.elements.kind.value;
}

function showKind() {
  const { label, hint } = KINDS[kind()];
  at("input-label").textContent = label;
  at("input-hint").textContent = hint;
  at("crlf-row").hidden = kind() !== "frame" || exact !== null;
  listEntries();
}

/** The requests of a HAR file, to choose from. */
function listEntries() {
  const entries = kind() === "har" ? entriesOf(at("input").value) : [];
  at("entry-row").hidden = entries.length === 0;
  const chosen = at("entry").value;
  at("entry").replaceChildren(...entries.map((entry, number) => {
    const request = entry?.request ?? {};
    return new Option(`${number}: ${request.method ?? "?"} ${String(request.url ?? "?").slice(0, 120)}`, String(number));
  }));
  if (chosen && Number(chosen) < entries.length) at("entry").value = chosen;
}

function entriesOf(text) {
  try {
    const entries = JSON.parse(text)?.log?.entries;
    return Array.isArray(entries) ? entries.slice(0, 5000) : [];
  } catch {
    return [];
  }
}

/** A file: as bytes if it is a frame, as text otherwise. */
async function chooseFile() {
  const file = at("file").files[0];
  if (!file) return;
  if (/\.har$/i.test(file.name)) form.elements.kind.value = "har";
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (kind() === "frame") {
    exact = bytes;
    at("exact-text").textContent = `${file.name}: ${bytes.length.toLocaleString("en")} exact bytes`;
    at("exact").hidden = false;
    at("input").required = false;
  } else {
    at("input").value = new TextDecoder().decode(bytes);
  }
  showKind();
}

function dropFile() {
  exact = null;
  at("file").value = "";
  at("exact").hidden = true;
  at("input").required = true;
  showKind();
}

function question() {
  const isExact = exact !== null && kind() === "frame";
  return {
    kind: kind(),
    input: isExact ? toBase64(exact) : at("input").value,
    encoding: isExact ? "base64" : "text",
    line_ends: at("crlf").checked && !isExact ? "crlf" : "as-given",
    entry: Number(at("entry").value || 0),
    reading: form.elements.reading.value,
    date: at("date").value.trim(),
    access_key: at("access-key").value,
    secret_key: at("secret-key").value,
    show_keys: at("show-keys").checked,
    other: at("other").value,
  };
}

async function ask(event) {
  event?.preventDefault();
  const button = form.querySelector(".primary");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  at("status").textContent = "Explaining…";
  try {
    const response = await fetch("explain", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(question()),
    });
    const answer = await response.json();
    show(response.ok ? answer : { error: { kind: `status ${response.status}`, message: answer.detail } });
  } catch {
    show({ error: { kind: "no answer", message: "framesign inspect does not answer; it has ended, or the address has changed" } });
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function show(answer) {
  const said = verdict(answer, at("input").value);
  result.replaceChildren(...said.nodes);
  if (answer.differences?.length) result.append(differences(answer.differences));
  result.append(...picture(answer));
  result.hidden = false;
  at("status").textContent = said.text;
  result.focus({ preventScroll: true });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  result.scrollIntoView({ behavior: isCalm ? "auto" : "smooth", block: "start" });
}

function tryExample() {
  form.elements.kind.value = EXAMPLE.kind;
  dropFile();
  at("input").value = EXAMPLE.input;
  at("access-key").value = EXAMPLE.accessKey;
  at("secret-key").value = EXAMPLE.secretKey;
  at("date").value = EXAMPLE.date;
  at("other").value = EXAMPLE.other;
  form.elements.reading.value = "lenient";
  showKind();
  ask();
}

/** Light or dark: the system's, until somebody chooses. */
function switchTheme() {
  const isDark = !isDarkNow();
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  showTheme();
}

function isDarkNow() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  at("theme").setAttribute("aria-pressed", String(isDarkNow()));
}

async function copy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    at("status").textContent = "Copied.";
    button.textContent = "Copied";
  } catch {
    at("status").textContent = "The browser does not let the page copy.";
  }
}

/** What the process knows: names of keys, and how it was told to read. */
async function loadSettings() {
  const settings = await (await fetch("settings")).json();
  at("version").textContent = `framesign ${settings.version}`;
  at("date").placeholder = `${settings.today} (today)`;
  if (settings.access_key) at("access-key").placeholder = settings.access_key;

  if (settings.reading === "strict") form.elements.reading.value = "strict";
}

form.addEventListener("submit", ask);
for (const input of form.elements.kind) input.addEventListener("change", showKind);
at("input").addEventListener("change", listEntries);
at("input").addEventListener("paste", () => setTimeout(listEntries));
at("input").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
at("file").addEventListener("change", chooseFile);
at("drop-file").addEventListener("click", dropFile);
at("example").addEventListener("click", tryExample);
at("theme").addEventListener("click", switchTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
result.addEventListener("click", copy);
showTheme();
showKind();
loadSettings();
