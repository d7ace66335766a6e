//! Help, version, completions and manual pages, which all come out of the same definitions.

use framesign::verify::Reason;

use super::{Run, bare};
use crate::stages::{ACCESS_KEY, SECRET_KEY};

fn run(arguments: &[&str]) -> String {
    let mut command = bare();
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    Run::of(command.args(arguments)).done().to_owned()
}

#[test]
fn help_names_what_a_user_needs() {
    let help = run(&["--help"]);
    for word in [
        "sign",
        "explain",
        "verify",
        "FRAMESIGN_SECRET_KEY",
        "Exit status",
        "Examples",
        "completions",
        "man",
    ] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
    for subcommand in ["sign", "explain"] {
        let help = run(&[subcommand, "--help"]);
        for word in [
            "FRAMESIGN_ACCESS_KEY",
            "FRAMESIGN_SECRET_KEY",
            "--secret-key-file",
            "--date",
            "--strict",
            "--allow-method",
            "--max-head",
            "--max-headers",
            "--json",
            "Exit status",
        ] {
            assert!(help.contains(word), "{word} is missing in {help}");
        }
    }
    assert!(run(&["explain", "--help"]).contains("--against"));
    let help = run(&["sign", "--help"]);
    assert!(help.contains("--emit") && help.contains("--no-digest"), "{help}");
    let help = run(&["verify", "--help"]);
    for word in [
        "FRAMESIGN_SECRET_KEY",
        "--secret-key-file",
        "--secrets",
        "--at",
        "--skew",
        "--max-age",
        "--no-freshness",
        "--host",
        "--max-payload",
        "--max-payload-without-digest",
        "--allow-method",
        "--json",
        "Exit status",
    ] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
    #[cfg(feature = "upload")]
    {
        let help = run(&["upload", "--help"]);
        for word in [
            "FRAMESIGN_SECRET_KEY",
            "--secret-key-file",
            "--part-size",
            "16777216",
            "--resume",
            "--retry-for",
            "--timeout",
            "--ca-file",
            "--json",
            "Exit status",
        ] {
            assert!(help.contains(word), "{word} is missing in {help}");
        }
    }
    #[cfg(feature = "inspect")]
    {
        assert!(run(&["--help"]).contains("inspect"));
        assert!(run(&["explain", "--help"]).contains("framesign inspect"));
        let help = run(&["inspect", "--help"]);
        for word in ["--open", "--port", "--secrets", "FRAMESIGN_SECRET_KEY", "Exit status"] {
            assert!(help.contains(word), "{word} is missing in {help}");
        }
    }
    let help = run(&["verify", "--help"]);
    let reasons = Reason::ALL.map(Reason::as_str).join(", ");
    assert!(help.replace('\n', " ").contains(&reasons), "{reasons} is missing in {help}");
}

/// A paragraph that was broken by hand, and is too wide, leaves its last word alone on a line.
#[test]
fn help_has_no_word_alone_on_a_line() {
    for command in
        ["sign", "explain", "verify", "inspect", "upload", "serve", "gateway", "healthcheck"]
    {
        if !run(&["--help"]).contains(&format!("\n  {command} ")) {
            // A feature that is off.
            continue;
        }
        let help = run(&[command, "--help"]);
        for (before, line) in help.lines().zip(help.lines().skip(1)) {
            // JSON is longer, and has no blank either.
            let is_word = (1..20).contains(&line.len()) && !line.contains(' ');
            let is_alone = is_word && !before.is_empty();
            assert!(!is_alone, "{command}: {before:?}, {line:?}");
        }
    }
}

/// [`Run`] asserts the same of the secret key.
#[test]
fn keys_in_the_environment_are_not_shown() {
    for arguments in [
        &["--help"][..],
        &["sign", "--help"],
        &["sign", "-h"],
        &["verify", "--help"],
        #[cfg(feature = "upload")]
        &["upload", "--help"],
        &["man", "sign"],
    ] {
        assert!(!run(arguments).contains(ACCESS_KEY), "{arguments:?}");
    }
}

#[test]
fn version_is_that_of_the_package() {
    assert_eq!(run(&["--version"]), format!("framesign {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]);
        assert!(script.contains("secret-key-file") && script.contains("explain"), "{shell}");
    }
}

#[test]
fn commands_have_manual_pages() {
    let page = run(&["man"]);
    assert!(page.contains(".TH framesign 1") && page.contains(".SH NAME"), "{page}");
    let page = run(&["man", "sign"]);
    assert!(page.contains(".TH framesign-sign 1"), "{page}");
    assert!(page.contains("allow") && page.contains("FRAMESIGN"), "{page}");
}
