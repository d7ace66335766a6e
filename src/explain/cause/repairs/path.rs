//! Repairs of the CanonicalURI (protocol section 4).

use crate::explain::cause::{
    coding::Coding,
    form::{Form, PathForm},
    repair::Repair,
    search::{MAX_ITEMS, Search},
};

/// Tries every repair of the path.
pub(in super::super) fn search(search: &mut Search<'_>) {
    let form = Form::default();
    let path = |coding| Form { path: PathForm::Recoded(coding), ..form };
    search.form(Repair::PathAsItStands, &Form { path: PathForm::AsItStands, ..form });
    search.form(Repair::EscapedSlash, &path(Coding { kept: b"/", ..Coding::PATH }));
    search.form(Repair::PlusInPath, &path(Coding { kept: b"+", ..Coding::PATH }));
    search.form(Repair::PlusInPath, &path(Coding { is_plus_space: true, ..Coding::PATH }));
    normalised(search);
    target(search);
    prefixes(search);
}

fn normalised(search: &mut Search<'_>) {
    let path = search.request.path.clone();
    let merged = merge_slashes(&path);
    let dots = remove_dots(&path);
    let both = remove_dots(&merged);
    let merged_after = merge_slashes(&dots);
    let trimmed = trim_slash(&path);
    let mut all = vec![merged, dots, both, merged_after, [&path[..], b"/"].concat()];
    all.extend(trimmed);
    for path in all {
        search.request(Repair::PathNormalised, None, &search.request.with_path(path));
    }
}

/// The path without its last slash, if it is longer than that.
fn trim_slash(path: &[u8]) -> Option<Vec<u8>> {
    path.strip_suffix(b"/").filter(|path| !path.is_empty()).map(<[u8]>::to_vec)
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|next, before| *next == b'/' && *before == b'/');
    merged
}

/// RFC 3986 section 5.2.4.
fn remove_dots(path: &[u8]) -> Vec<u8> {
    let segments: Vec<_> = path.split(|&byte| byte == b'/').skip(1).collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        match *segment {
            b"." | b".." => {
                if segment.len() == 2 {
                    kept.pop();
                }
                if is_last {
                    kept.push(b"");
                }
            }
            segment => kept.push(segment),
        }
    }
    if path.is_empty() { Vec::new() } else { [b"/", &kept.join(&b'/')[..]].concat() }
}

/// Tries the whole target, and what an absolute-form is without its scheme.
fn target(search: &mut Search<'_>) {
    let target = search.request.target.clone();
    let without_query = target.split(|&byte| byte == b'?').next().unwrap_or_default().to_vec();
    // A path that is the frame's own is a repair of the query.
    let paths = [target, without_query].into_iter().filter(|path| *path != search.request.path);
    for path in paths.collect::<Vec<_>>() {
        for query in [search.request.query.clone(), Vec::new()] {
            let mut request = search.request.with_path(path.clone());
            request.query = query;
            search.request(Repair::TargetAsPath, None, &request);
            for path in
                [PathForm::AsItStands, PathForm::Recoded(Coding { kept: b"?&=", ..Coding::PATH })]
            {
                let text = Form { path, ..Form::default() }.write(&request);
                search.text(Repair::TargetAsPath, Repair::TargetAsPath.side(), None, &text);
            }
        }
    }
}

/// Tries the path without its first segments.
fn prefixes(search: &mut Search<'_>) {
    let path = search.request.path.clone();
    let slashes = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    for (at, _) in slashes.take(MAX_ITEMS) {
        let rest = path.get(at..).unwrap_or_default().to_vec();
        search.request(Repair::PathPrefix, None, &search.request.with_path(rest));
    }
    search.request(Repair::PathPrefix, None, &search.request.with_path(b"/".to_vec()));
}
