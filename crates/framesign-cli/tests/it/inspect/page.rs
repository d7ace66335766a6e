//! The files of the page.

use std::collections::BTreeSet;

use super::Inspect;

/// What stands in quotes behind `before` in `text`.
fn quoted<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn everything_comes_out_of_the_binary() {
    let page = Inspect::start(&[]);
    let html = page.get("");
    assert_eq!(html.status, 200);
    assert_eq!(html.field("content-type"), Some("text/html; charset=utf-8"));
    let html = html.text();
    let mut names = quoted(html, "href=\"");
    names.extend(quoted(html, "src=\""));
    names.retain(|name| !name.starts_with('#'));
    assert!(names.contains("inspect.js") && names.contains("style.css"), "{names:?}");
    let mut files = vec![html.to_owned()];
    for name in names {
        files.push(file(&page, name));
    }
    for script in ["inspect.js", "picture.js", "wires.js", "verdict.js", "bytes.js", "examples.js"]
    {
        let text = file(&page, script);
        let imports = quoted(&text, "from \"./");
        for name in imports {
            file(&page, name);
        }
        files.push(text);
    }
    for text in files {
        let text = text.replace("http://www.w3.org/2000/svg", "");
        let elsewhere = ["https://", "http://", "//cdn", "@import", "url("];
        for address in elsewhere {
            assert!(!text.contains(address), "{address}");
        }
    }
}

fn file(page: &Inspect, name: &str) -> String {
    let answer = page.get(name);
    assert_eq!(answer.status, 200, "{name}");
    let media_type = answer.field("content-type").unwrap();
    let expected = match name.rsplit('.').next().unwrap() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    };
    assert_eq!(media_type, expected, "{name}");
    answer.text().to_owned()
}

/// The policy of the page allows neither.
#[test]
fn the_page_has_no_script_and_no_style_within_it() {
    let page = Inspect::start(&[]);
    let html = page.get("");
    let html = html.text();
    assert!(!html.contains(" style=") && !html.contains("<style"), "style");
    assert!(!html.contains(" on") || !html.contains("onclick="), "event handlers");
    for script in html.split("<script").skip(1) {
        assert!(script.split("</script>").next().unwrap().trim_end().ends_with('>'), "{script}");
    }
}

#[test]
fn settings_name_what_the_process_knows_and_no_secret() {
    let page = Inspect::with_keys(&["--strict"]);
    let settings = page.get("settings");
    let settings: serde_json::Value = serde_json::from_slice(&settings.body).unwrap();
    assert_eq!(settings["access_key"], crate::stages::ACCESS_KEY);
    assert_eq!(settings["reading"], "strict");
    assert_eq!(settings["version"], env!("CARGO_PKG_VERSION"));
    assert!(!settings.to_string().contains(crate::stages::SECRET_KEY));
    let bare = Inspect::start(&[]);
    let settings: serde_json::Value = serde_json::from_slice(&bare.get("settings").body).unwrap();
    assert!(settings["access_key"].is_null());
    assert_eq!(settings["reading"], "lenient");
}
