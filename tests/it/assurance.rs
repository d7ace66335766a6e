//! What docs/assurance.md names is there: files, tests, steps, figures and links.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::repository;

const PAGE: &str = include_str!("../../docs/assurance.md");

/// What is named behind this is of other projects.
const OTHERS: &str = "\n## Beside other projects\n";

/// Our part of the page.
fn ours() -> &'static str {
    PAGE.split_once(OTHERS).expect(OTHERS).0
}

/// The texts between backticks, each with what follows it.
fn code(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut pieces = text.split('`').skip(1);
    let mut found = Vec::new();
    while let (Some(code), Some(after)) = (pieces.next(), pieces.next()) {
        found.push((code, after));
    }
    found
}

/// The rows of all tables that begin with this header, cell by cell.
fn rows(text: &'static str, header: &str) -> Vec<Vec<&'static str>> {
    let tables = text.split(header).skip(1);
    let lines =
        tables.flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The path of a file that is named, by the table of beginnings.
fn path(name: &str) -> String {
    let beginnings = rows(PAGE, "| begins with | stands for | package |");
    let beginning = beginnings.iter().find(|row| name.starts_with(row[0]));
    beginning.map_or_else(|| name.to_owned(), |row| name.replacen(row[0], row[1], 1))
}

fn is_file(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    name.contains('/') && matches!(extension, Some("rs" | "py" | "js" | "yml" | "toml" | "md"))
}

/// Whether a function of this name is there, and a test that runs.
fn is_test(source: &str, function: &str) -> bool {
    let definition = format!("fn {function}(");
    let Some((before, _)) = source.split_once(&definition) else {
        return source.contains(&format!("def {function}(self)"));
    };
    let attributes = before.rsplit("\n\n").next().unwrap();
    let has = |attribute| attributes.contains(attribute);
    (has("#[test]") || has("::test")) && !has("[ignore")
}

#[test]
fn every_file_is_there_and_every_function_is_a_test_in_it() {
    let mut file: Option<(String, String)> = None;
    let (mut files, mut tests) = (0, 0);
    for (name, after) in code(ours()) {
        if is_file(name) {
            let path = path(name);
            let source = fs::read_to_string(repository().join(&path));
            let source = source.unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
            files += 1;
            file = after.starts_with(": ").then_some((path, source));
        } else if let Some((path, source)) = &file {
            assert!(is_test(source, name), "{path}: {name} is no test in it");
            tests += 1;
            if after != ", " {
                file = None;
            }
        }
    }
    assert!(files > 100 && tests > 200, "{files} files, {tests} tests");
}

#[test]
fn every_step_is_one_of_ci() {
    let steps = fs::read_to_string(repository().join(".ci/run")).unwrap();
    let named: Vec<_> =
        code(PAGE).into_iter().filter_map(|(name, _)| name.strip_prefix(".ci/run ")).collect();
    for step in named.iter().flat_map(|names| names.split(' ')) {
        assert!(steps.contains(&format!("\n{step}() {{")), "{step}");
    }
    assert!(named.len() > 15, "{named:?}");
}

/// A figure that is printed again changes in the document, and then here.
#[test]
fn every_figure_stands_in_the_document_that_it_is_taken_from() {
    let (_, section) = ours().split_once("\n## Speed and memory in figures\n").unwrap();
    let commands = fs::read_to_string(repository().join("benches/README.md")).unwrap();
    let mut count = 0;
    for of_document in section.split("\n### ").skip(1) {
        let (title, _) = of_document.split_once('\n').unwrap();
        let (name, date) = title.split_once(", ").unwrap();
        let folder = if name == "README.md" { "" } else { "docs" };
        let document = fs::read_to_string(repository().join(folder).join(name)).unwrap();
        let (_, figures) = document.split_once("<!-- figures: begin -->").unwrap();
        assert!(figures.contains(&format!("Date: {date}.")), "{date} is not that of {name}");
        for row in rows(of_document, "| claim | figure | printed by |") {
            let [_, figure, command] = row[..] else { panic!("{row:?}") };
            let mut lines = figures.lines().filter(|line| line.contains(figure));
            // The table of the README has the command beside the figure.
            let is_there = match name {
                "README.md" => lines.any(|line| line.contains(command)),
                _ => lines.next().is_some() && commands.contains(command),
            };
            assert!(is_there, "{name}: {figure} by {command}");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// The targets of links, without those to the web.
fn links() -> Vec<(&'static str, Option<&'static str>)> {
    let targets = PAGE.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0);
    let parts = |target: &'static str| match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    };
    targets.map(parts).collect()
}

fn document(file: &str) -> String {
    let name = if file.is_empty() { "assurance.md" } else { file };
    let path = repository().join("docs").join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The headings of a document, as links name them.
fn headings(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter(|line| line.starts_with("##"));
    let link = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
    };
    headings.map(link).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for (file, heading) in links() {
        let document = document(file);
        if let Some(heading) = heading {
            assert!(headings(&document).contains(heading), "{file}#{heading}");
        }
    }
}

#[test]
fn no_section_of_claims_is_left_out() {
    for name in ["security.md", "protocol.md"] {
        let linked: BTreeSet<_> = links()
            .into_iter()
            .filter_map(|(file, heading)| heading.filter(|_| file == name))
            .collect();
        let sections = document(name);
        let left_out: Vec<_> = headings(&sections)
            .into_iter()
            .filter(|heading| !linked.contains(heading.as_str()))
            .collect();
        assert_eq!(left_out, [""; 0], "{name}");
    }
}
