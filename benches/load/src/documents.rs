//! The READMEs of benches and scripts name what is there, and nothing else.

use std::{collections::BTreeSet, fs, path::Path};

use clap::Parser;

use crate::{Arguments, programs::repository};

const SCRIPTS: &str = "scripts/README.md";
const BENCHES: &str = "benches/README.md";

#[test]
fn every_script_has_a_reason_and_there_are_few() {
    let there: BTreeSet<_> = files("scripts").collect();
    assert!(there.len() <= 15, "{there:?}");
    let named: BTreeSet<_> = rows(SCRIPTS, 3).map(|row| unquoted(&row[0])).collect();
    let others = BTreeSet::from(["README.md".into()]);
    assert_eq!(there, &named | &others);
}

#[test]
fn every_step_that_runs_a_script_is_one_of_ci() {
    let ci = read(".ci/run");
    for step in rows(SCRIPTS, 3).map(|row| unquoted(&row[1])).filter(|step| !step.is_empty()) {
        let function = ci.split(&format!("\n{step}() {{")).nth(1).expect(&step);
        let body = function.split("\n}").next().unwrap();
        assert!(body.contains("scripts/"), "{step}");
    }
}

#[test]
fn every_bench_and_every_module_has_a_reason() {
    let rows: Vec<_> = rows(BENCHES, 2).collect();
    let with = |start: &'static str| {
        rows.iter().map(|row| unquoted(&row[0])).filter(move |name| name.starts_with(start))
    };
    let modules: BTreeSet<_> = with("support/").collect();
    assert_eq!(modules, files("benches/support").map(|file| format!("support/{file}")).collect());
    let benches: BTreeSet<_> =
        with("").filter(|name| name.contains('.') && !name.contains('/')).collect();
    let others = BTreeSet::from(["README.md".into()]);
    assert_eq!(files("benches").collect::<BTreeSet<_>>(), &benches | &others);
}

#[test]
fn every_command_for_a_figure_can_be_called() {
    let mut called = BTreeSet::new();
    for page in ["README.md", BENCHES, "docs/scaling.md"] {
        let page = read(page).replace('\n', " ");
        for command in page.split('`').filter(|text| text.starts_with("cargo ")) {
            let words: Vec<_> = command.split_whitespace().collect();
            let (cargo, own) = match words.iter().position(|word| *word == "--") {
                Some(at) => (&words[..at], &words[at + 1..]),
                None => (&words[..], &[][..]),
            };
            if cargo.contains(&"framesign-load") {
                let arguments = ["framesign-load"].iter().chain(own);
                assert!(Arguments::try_parse_from(arguments).is_ok(), "{command}");
                called.insert(own[0].to_owned());
            } else if let Some(at) = cargo.iter().position(|word| *word == "--bench") {
                check_bench(cargo, cargo[at + 1], own);
            }
        }
    }
    let figures = [
        "requests",
        "scaling",
        "overload",
        "slow",
        "tenants",
        "large",
        "gateway",
        "file",
        "pipe",
        "upload-parts",
        "uploads",
        "growth",
    ];
    assert_eq!(called, figures.map(str::to_owned).into());
}

/// The bench is one of its package, and prints figures that begin with what chooses them.
fn check_bench(cargo: &[&str], name: &str, own: &[&str]) {
    let folder = if cargo.contains(&"benches/peers/Cargo.toml") { "benches/peers/" } else { "" };
    let manifest = read(&format!("{folder}Cargo.toml"));
    assert!(manifest.contains(&format!("[[bench]]\nname = \"{name}\"\n")), "{name}");
    let source = read(&format!("{folder}benches/{name}.rs"));
    for chosen in own {
        assert!(source.contains(&format!("\"{chosen}")), "{chosen} of {name}");
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).expect(file)
}

fn files(folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(repository().join(folder)).expect(folder).map(Result::unwrap);
    entries
        .filter(|entry| Path::is_file(&entry.path()))
        .map(|entry| entry.file_name().into_string().unwrap())
}

/// The cells of tables with so many columns, but those of their heads.
fn rows(page: &str, columns: usize) -> impl Iterator<Item = Vec<String>> {
    let page = read(page);
    let rows = page.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let rows = rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect());
    let rows: Vec<Vec<_>> = rows.collect();
    rows.into_iter().filter(move |row| row.len() == columns && row[0].starts_with('`'))
}

fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}
