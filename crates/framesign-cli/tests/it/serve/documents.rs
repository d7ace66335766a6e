//! What docs/operations.md names is what there is, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use super::{Connection, Service, request::Request};

const PAGE: &str = include_str!("../../../../../docs/operations.md");

#[test]
fn every_option_is_documented_with_its_variable_and_default() {
    let documented: BTreeMap<_, _> = rows(PAGE, "| option | variable | default | meaning |")
        .map(|row| (unquoted(row[0]), (unquoted(row[1]), row[2].to_owned())))
        .collect();
    let there: BTreeMap<_, _> = options("serve")
        .into_iter()
        .map(|(option, default)| (option.clone(), (variable(&option), default)))
        .collect();
    assert_eq!(documented, there);
}

#[test]
fn every_variable_that_is_named_is_read() {
    let help = help("serve");
    let options: BTreeSet<_> = options("serve").keys().map(|option| variable(option)).collect();
    let is_of = |c: char| c.is_ascii_uppercase() || c == '_';
    let named = PAGE.split(|c| !is_of(c)).filter(|word| word.starts_with("FRAMESIGN_"));
    for name in named {
        let of_secret = help.contains(&format!("  {} ", name.trim_end_matches("_FILE")));
        let is_read = options.contains(name) || of_secret || name == "FRAMESIGN_HEALTHCHECK_URL";
        assert!(is_read, "{name}");
    }
}

#[test]
fn every_metric_is_documented_with_its_labels_and_type() {
    let documented: BTreeMap<_, _> = rows(PAGE, "| metric | type | meaning |")
        .map(|row| (unquoted(row[0]), row[1].to_owned()))
        .collect();
    assert_eq!(documented, metrics());
}

#[test]
fn every_route_that_is_documented_is_there() {
    let service = Service::start(&[]);
    let mut count = 0;
    for row in rows(PAGE, "| route | answers | |") {
        for route in row[0].split(", ").map(unquoted) {
            let (method, path) = route.split_once(' ').unwrap();
            let answer = service.request(format!("OPTIONS {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert!(answer.field("allow").unwrap().contains(method), "{route}");
            count += 1;
        }
    }
    assert_eq!(count, 9);
}

#[test]
fn every_route_of_uploads_that_is_documented_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = super::serve(&["--uploads", folder.path().to_str().unwrap()]);
    command.env("FRAMESIGN_ACCESS_KEY", "key").env("FRAMESIGN_SECRET_KEY", "sixteen bytes or more");
    let service = Service::run(&mut command);
    let mut count = 0;
    for row in rows(PAGE, "| upload route | answers |") {
        for route in row[0].split(", ").map(unquoted) {
            let (method, path) = route.split_once(' ').unwrap();
            let answer = service.request(format!("OPTIONS {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert!(answer.field("allow").unwrap().contains(method), "{route}");
            count += 1;
        }
    }
    assert_eq!(count, 6);
}

#[test]
fn every_metric_of_alerts_and_dashboard_is_there() {
    let there: BTreeSet<_> = metrics().into_keys().collect();
    let name_of = |metric: &String| metric.split('{').next().unwrap().to_owned();
    let there: BTreeSet<_> = there.iter().map(name_of).collect();
    let is_of = |c: char| c.is_ascii_lowercase() || c == '_';
    for (page, least) in [
        (include_str!("../../../../../deploy/prometheus/alerts.yaml"), 5),
        (include_str!("../../../../../deploy/grafana/framesign.json"), 10),
    ] {
        let words = page.split(|c| !is_of(c));
        let named: BTreeSet<_> = words
            .filter(|word| word.starts_with("framesign_") || word.starts_with("process_"))
            .collect();
        assert!(named.len() >= least, "{named:?}");
        for name in named {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(there.contains(name), "{name} is none of {there:?}");
        }
    }
}

#[test]
fn every_alert_has_a_row_that_says_what_to_do() {
    let alerts = include_str!("../../../../../deploy/prometheus/alerts.yaml");
    let alerts: BTreeSet<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let described: BTreeSet<_> = rows(PAGE, "| alert | look at | do |").map(|row| row[0]).collect();
    assert!(alerts.len() >= 9, "{alerts:?}");
    assert_eq!(alerts, described);
}

/// The cells of the table that begins with `head`, row by row.
pub(crate) fn rows(
    page: &'static str,
    head: &str,
) -> impl Iterator<Item = Vec<&'static str>> + use<> {
    let (_, table) = page.split_once(head).unwrap_or_else(|| panic!("{head} is not there"));
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// `--max-body BYTES` is `FRAMESIGN_MAX_BODY` in the environment.
fn variable(option: &str) -> String {
    let name = option.split(' ').next().unwrap_or_default().trim_start_matches('-');
    format!("FRAMESIGN_{}", name.replace('-', "_").to_uppercase())
}

fn help(command: &str) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_framesign"));
    let output = program.env_clear().args([command, "--help"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Options, with what their values are called, and their defaults.
pub(crate) type Options = BTreeMap<String, String>;

/// Every option of a command.
pub(crate) fn options(command: &str) -> Options {
    let help = help(command);
    let (_, options) = help.split_once("\nOptions:").or(help.split_once("Usage:")).unwrap();
    let mut found = BTreeMap::new();
    let mut text = String::new();
    for line in options.lines().rev() {
        // What comes before is of the option whose line this is.
        match line.trim().strip_prefix("--") {
            Some(name) => {
                let option = format!("--{}", name.replace(['<', '>'], ""));
                let none = if option.contains(' ') { "none" } else { "off" };
                let default = default(&text).unwrap_or_else(|| none.into());
                found.insert(option, default);
                text.clear();
            }
            None => text = format!("{} {text}", line.trim()),
        }
    }
    found
}

fn default(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("[default: ")?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// Every metric with its labels, but that of the buckets, and its type.
fn metrics() -> BTreeMap<String, String> {
    let callers = tempfile::NamedTempFile::new().unwrap();
    let token = "token-of-a-caller-0123456789";
    std::fs::write(&callers, format!("caller = ['{token}']")).unwrap();
    let options = ["--callers", callers.path().to_str().unwrap(), "--admin-listen", "127.0.0.1:0"];
    let service = Service::start(&options);
    // What is counted by status is there once there was a request of a caller.
    let fields = format!("Host: h\r\nAuthorization: Bearer {token}\r\nContent-Length: 0");
    assert_eq!(service.request(format!("POST /token HTTP/1.1\r\n{fields}\r\n\r\n")).status, 200);
    let accept = "Accept: application/openmetrics-text";
    let mut connection = Connection::open(service.admin.unwrap());
    connection.send(format!("GET /metrics HTTP/1.1\r\nHost: h\r\n{accept}\r\n\r\n"));
    let answer = connection.answer();
    let text = answer.text();
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    families
        .map(|family| {
            let (name, kind) = family.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let sample = text.lines().find(|line| line.starts_with(name)).unwrap();
            (format!("{name}{suffix}{}", labels(sample)), kind.to_owned())
        })
        .collect()
}

/// The names of the labels of a sample, in the form of the page.
fn labels(sample: &str) -> String {
    let Some((_, labels)) = sample.split_once('{') else { return String::new() };
    let (labels, _) = labels.split_once('}').unwrap();
    let names = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0));
    let names: Vec<_> = names.filter(|name| *name != "le").collect();
    format!("{{{}}}", names.join(","))
}

const README: &str = include_str!("../../../../../README.md");

/// What stands between both, where it stands first.
fn in_readme(before: &str, after: &str) -> &'static str {
    let (_, rest) = README.split_once(before).unwrap_or_else(|| panic!("{before} is not there"));
    rest.split_once(after).unwrap_or_else(|| panic!("{after} is not there")).0
}

#[test]
fn answers_in_the_readme_are_those_of_the_service() {
    let mut command = super::serve(&[]);
    for name in ["FRAMESIGN_ACCESS_KEY", "FRAMESIGN_SECRET_KEY"] {
        command.env(name, in_readme(&format!("export {name}="), "\n"));
    }
    command.env("SECRET", in_readme("\nSECRET=", " "));
    let service = Service::run(&mut command);

    let token = service.post("/token", b"hello").json();
    assert_eq!(token["token"], in_readme("# {\"token\":\"", "\""));
    assert_eq!(token["algorithm"], "HMAC-SHA256");

    let frame = include_bytes!("../../../../../examples/frames/example-2.http");
    let signed = Request::frame("/sign", frame).to(&service).json();
    assert_eq!(signed["string_to_sign"], in_readme("\"string_to_sign\":\"", "\""));

    let mut emitting = Command::new(env!("CARGO_BIN_EXE_framesign"));
    emitting.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let example = crate::support::repository().join("examples/frames/example-2.http");
    let emitted = emitting.args(["sign", "--emit"]).arg(example).output().unwrap();
    assert!(emitted.status.success(), "{emitted:?}");
    let answer = Request::frame("/verify", emitted.stdout).to(&service);
    assert!(README.contains(&format!("# {}\n", answer.text())), "{answer:?}");
    assert_eq!(answer.json()["valid"], true);

    for path in ["/health", "/livez", "/readyz", "/metrics", "/openapi.json"] {
        assert!(README.contains(path), "{path}");
        assert_eq!(service.get(path).status, 200, "{path}");
    }
}
