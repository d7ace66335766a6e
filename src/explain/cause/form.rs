//! The forms of a canonical request: that of the protocol, and those that others write by mistake.

use super::{
    coding::Coding,
    request::{Field, Request},
};

/// A way to write a canonical request; the default is that of the protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) path: PathForm,
    pub(super) query: QueryForm,
    pub(super) fields: FieldsForm,
    pub(super) line_end: &'static [u8],
    pub(super) has_empty_line: bool,
    /// What follows the payload hash.
    pub(super) end: &'static [u8],
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PathForm {
    Recoded(Coding),
    AsItStands,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct QueryForm {
    pub(super) coding: Coding,
    pub(super) joined: Joined,
    pub(super) order: Order,
    pub(super) equals: Equals,
    pub(super) has_empty: bool,
    pub(super) as_it_stands: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FieldsForm {
    pub(super) is_lower: bool,
    pub(super) joined: Joined,
    pub(super) order: Order,
    pub(super) colon: &'static [u8],
    pub(super) value: fn(&[u8]) -> Vec<u8>,
}

/// When a parameter has its `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equals {
    Always,
    IfValue,
    AsSent,
}

/// What becomes of several values of one name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Joined {
    By(&'static [u8]),
    /// Sorted, then joined by a comma.
    Sorted,
    Reversed,
    Not,
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Name,
    /// By the name as it was sent.
    NameAsSent,
    /// By the whole line.
    Line,
    Frame,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            path: PathForm::Recoded(Coding::PATH),
            query: QueryForm {
                coding: Coding::QUERY,
                joined: Joined::By(b","),
                order: Order::Name,
                equals: Equals::Always,
                has_empty: true,
                as_it_stands: false,
            },
            fields: FieldsForm {
                is_lower: true,
                joined: Joined::By(b","),
                order: Order::Name,
                colon: b":",
                value: <[u8]>::to_vec,
            },
            line_end: b"\n",
            has_empty_line: true,
            end: b"",
        }
    }
}

impl Form {
    /// Writes the canonical request.
    pub(super) fn write(&self, request: &Request) -> Vec<u8> {
        let mut lines = vec![
            request.method.clone(),
            self.path.write(&request.path),
            self.query.write(&request.query),
        ];
        lines.extend(self.fields.write(&request.fields));
        if self.has_empty_line {
            lines.push(Vec::new());
        }
        lines.push(request.payload.clone().into_bytes());
        let mut text = lines.join(self.line_end);
        text.extend_from_slice(self.end);
        text
    }
}

impl PathForm {
    fn write(&self, path: &[u8]) -> Vec<u8> {
        match self {
            Self::AsItStands => path.to_vec(),
            Self::Recoded(coding) => {
                let segments = path.split(|&byte| byte == b'/');
                segments.map(|segment| coding.recode(segment)).collect::<Vec<_>>().join(&b'/')
            }
        }
    }
}

impl QueryForm {
    fn write(&self, query: &[u8]) -> Vec<u8> {
        if self.as_it_stands {
            return query.to_vec();
        }
        let pieces = query.split(|&byte| byte == b'&').filter(|piece| !piece.is_empty());
        let parameters = pieces.map(|piece| self.parameter(piece));
        let parameters = parameters.filter(|line| self.has_empty || !line.value.is_empty());
        let mut lines = join(parameters.collect(), self.joined);
        for line in &mut lines {
            line.name = self.coding.escape(&line.name);
            line.value = self.coding.escape(&line.value);
        }
        let texts = sort(lines, self.order).into_iter().map(|line| self.text(&line));
        texts.collect::<Vec<_>>().join(&b'&')
    }

    fn parameter(&self, piece: &[u8]) -> Line {
        let equals = piece.iter().position(|&byte| byte == b'=');
        let (name, value) = piece.split_at(equals.unwrap_or(piece.len()));
        Line {
            name: self.coding.decode(name),
            sent_name: Vec::new(),
            value: self.coding.decode(value.strip_prefix(b"=").unwrap_or_default()),
            is_bare: equals.is_none(),
        }
    }

    fn text(&self, line: &Line) -> Vec<u8> {
        let has_equals = match self.equals {
            Equals::Always => true,
            Equals::IfValue => !line.value.is_empty(),
            Equals::AsSent => !line.is_bare,
        };
        let equals = if has_equals { &b"="[..] } else { b"" };
        [&line.name, equals, &line.value[..]].concat()
    }
}

impl FieldsForm {
    fn write(&self, fields: &[Field]) -> Vec<Vec<u8>> {
        let lines = fields.iter().map(|field| Line {
            name: field.name.to_ascii_lowercase().into_bytes(),
            sent_name: field.name.clone().into_bytes(),
            value: (self.value)(&field.value),
            is_bare: false,
        });
        let lines = sort(join(lines.collect(), self.joined), self.order).into_iter();
        let name =
            |line: &Line| if self.is_lower { line.name.clone() } else { line.sent_name.clone() };
        lines.map(|line| [&name(&line), self.colon, &line.value[..]].concat()).collect()
    }
}

/// A name and a value.
#[derive(Clone)]
struct Line {
    name: Vec<u8>,
    sent_name: Vec<u8>,
    value: Vec<u8>,
    /// A parameter without `=`, alone of its name.
    is_bare: bool,
}

/// Joins lines of one name at the place of the first.
fn join(mut lines: Vec<Line>, joined: Joined) -> Vec<Line> {
    if matches!(joined, Joined::Not) {
        return lines;
    }
    let mut order: Vec<usize> = (0..lines.len()).collect();
    let name = |index: &usize| lines.get(*index).map(|line| &line.name);
    order.sort_by(|left, right| name(left).cmp(&name(right)));
    let groups: Vec<Vec<usize>> =
        order.chunk_by(|left, right| name(left) == name(right)).map(<[usize]>::to_vec).collect();
    let mut keeps = vec![false; lines.len()];
    for group in groups {
        let values = group.iter().filter_map(|&index| lines.get(index));
        let value = join_values(values.map(|line| line.value.clone()).collect(), joined);
        let Some(&first) = group.first() else { continue };
        if let (Some(line), Some(keep)) = (lines.get_mut(first), keeps.get_mut(first)) {
            (line.value, *keep) = (value, true);
            line.is_bare &= group.len() == 1;
        }
    }
    lines.into_iter().zip(keeps).filter(|(_, keep)| *keep).map(|(line, _)| line).collect()
}

fn join_values(mut values: Vec<Vec<u8>>, joined: Joined) -> Vec<u8> {
    match joined {
        Joined::By(separator) => values.join(separator),
        Joined::Sorted => {
            values.sort();
            values.join(&b","[..])
        }
        Joined::Reversed => {
            values.reverse();
            values.join(&b","[..])
        }
        Joined::First => values.into_iter().next().unwrap_or_default(),
        Joined::Last | Joined::Not => values.pop().unwrap_or_default(),
    }
}

fn sort(mut lines: Vec<Line>, order: Order) -> Vec<Line> {
    match order {
        Order::Name => lines.sort_by(|left, right| left.name.cmp(&right.name)),
        Order::NameAsSent => lines.sort_by(|left, right| left.sent_name.cmp(&right.sent_name)),
        Order::Line => {
            lines
                .sort_by(|left, right| (&left.name, &left.value).cmp(&(&right.name, &right.value)));
        }
        Order::Frame => {}
    }
    lines
}
