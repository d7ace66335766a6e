//! An entry of a HAR file (HTTP Archive 1.2), as browsers and proxies export them.

use serde::Deserialize;

use crate::inspect::input::{error::InputError, frame::PastedFrame, url::Url};

/// The parts of a HAR file that are read; everything else is skipped.
#[derive(Deserialize)]
struct Document {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    headers: Vec<Header>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    #[serde(default)]
    params: Vec<Param>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Param {
    name: String,
    #[serde(default)]
    value: String,
    file_name: Option<String>,
}

/// Makes a frame of the request of entry number `entry`, counted from 0. What HTTP/2 has instead of
/// a request line is dropped: HTTP/2 counts as HTTP/1.1 with `:authority` as Host.
pub(crate) fn har(text: &str, entry: usize) -> Result<PastedFrame, InputError> {
    let document: Document =
        serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
    let entries = document.log.entries;
    let count = entries.len();
    let found = entries.into_iter().nth(entry).ok_or_else(|| {
        let expected = format!("an entry with the number {entry}, counted from 0");
        InputError::in_member("log.entries", expected, format!("{count} entries"))
    })?;
    Reader { entry, notes: Vec::new() }.frame(&found.request)
}

/// JSON that is broken, or not a HAR file.
fn unreadable(text: &str, error: &serde_json::Error) -> InputError {
    let offset = if error.is_eof() {
        text.len()
    } else {
        let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
        lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
    };
    let message = error.to_string();
    let problem = message.split(" at line ").next().unwrap_or_default();
    let found = format!("no such JSON ({problem})");
    InputError::at_byte(offset.min(text.len()), "a HAR file (log.entries[].request)", found)
}

struct Reader {
    entry: usize,
    notes: Vec<String>,
}

impl Reader {
    fn frame(mut self, request: &Request) -> Result<PastedFrame, InputError> {
        let url = Url::parse(request.url.as_bytes()).map_err(|error| {
            let found = format!("another at byte {} of it", error.at);
            InputError::in_member(self.member("url"), error.expected, found)
        })?;
        let method = self.clean(&request.method, "method", "a method without blanks", " \t\r\n")?;
        let path: &[u8] = if url.path.is_empty() { b"/" } else { url.path };
        let mut bytes = [method.as_bytes(), b" ", path].concat();
        if let Some(query) = url.query {
            bytes.push(b'?');
            bytes.extend_from_slice(query);
        }
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        let body = request.post_data.as_ref().map(|data| self.body(data)).transpose()?;
        self.add_fields(&request.headers, &url, body.as_deref(), &mut bytes)?;
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.as_deref().unwrap_or_default());
        Ok(PastedFrame { bytes, notes: self.notes })
    }

    fn add_fields(
        &mut self,
        headers: &[Header],
        url: &Url<'_>,
        body: Option<&[u8]>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), InputError> {
        let has = |name: &str| headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        let mut add = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        if !has("host") {
            let authority = headers.iter().find(|header| header.name == ":authority");
            add("Host", authority.map_or(url.host(), |header| header.value.as_bytes()));
            self.note("The entry has no Host; it was taken from :authority or the URL.");
        }
        for (number, header) in headers.iter().enumerate() {
            if header.name.starts_with(':') {
                continue;
            }
            let member = format!("headers[{number}]");
            self.clean(&header.name, &format!("{member}.name"), "a name on one line", "\r\n")?;
            self.clean(&header.value, &format!("{member}.value"), "a value on one line", "\r\n")?;
            add(&header.name, header.value.as_bytes());
        }
        if let Some(body) = body.filter(|_| !has("content-length")) {
            add("Content-Length", body.len().to_string().as_bytes());
            self.note("The entry has a body without Content-Length; it was added.");
        }
        Ok(())
    }

    fn body(&mut self, data: &PostData) -> Result<Vec<u8>, InputError> {
        match &data.text {
            Some(text) if !text.is_empty() || data.params.is_empty() => {
                return Ok(text.as_bytes().to_vec());
            }
            _ => {}
        }
        let is_form = data.mime_type.starts_with("application/x-www-form-urlencoded");
        if !is_form && !data.params.is_empty()
            || data.params.iter().any(|param| param.file_name.is_some())
        {
            let expected = "text, or params of application/x-www-form-urlencoded";
            let member = self.member("postData");
            return Err(InputError::in_member(member, expected, "a body whose bytes are not told"));
        }
        if !data.params.is_empty() {
            self.note("The body was made of postData.params; its bytes may have been others.");
        }
        let params = data.params.iter().map(|param| format!("{}={}", param.name, param.value));
        Ok(params.collect::<Vec<_>>().join("&").into_bytes())
    }

    fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Text without any of the characters that would end it in a frame.
    fn clean<'a>(
        &self,
        text: &'a str,
        member: &str,
        expected: &'static str,
        ends: &str,
    ) -> Result<&'a str, InputError> {
        if text.contains(|character| ends.contains(character)) {
            let found = if ends.contains(' ') { "a blank in it" } else { "a line end in it" };
            return Err(InputError::in_member(self.member(member), expected, found));
        }
        Ok(text)
    }

    fn member(&self, name: &str) -> String {
        format!("log.entries[{}].request.{name}", self.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::har;

    fn document(requests: &[&str]) -> String {
        let entries: Vec<_> = requests
            .iter()
            .map(|request| format!("{{\"time\":1,\"request\":{request}}}"))
            .collect();
        format!("{{\"log\":{{\"version\":\"1.2\",\"entries\":[{}]}}}}", entries.join(","))
    }

    fn frame(request: &str) -> String {
        String::from_utf8(har(&document(&[request]), 0).unwrap().bytes).unwrap()
    }

    #[test]
    fn entries_become_frames() {
        for (request, expected) in [
            (
                r#"{"method":"GET","url":"http://h/a?b=c+d#e","headers":[{"name":"Host","value":"h"}]}"#,
                "GET /a?b=c+d HTTP/1.1\r\nHost: h\r\n\r\n",
            ),
            (
                r#"{"method":"GET","url":"https://h:443","httpVersion":"h2","headers":[
                    {"name":":method","value":"GET"},{"name":":authority","value":"x"},
                    {"name":"accept","value":"*/*"}]}"#,
                "GET / HTTP/1.1\r\nHost: x\r\naccept: */*\r\n\r\n",
            ),
            (
                r#"{"method":"GET","url":"https://h:443/","headers":[]}"#,
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            ),
            (
                r#"{"method":"POST","url":"http://h/","headers":[{"name":"host","value":"h"}],
                    "postData":{"mimeType":"text/plain","text":"a\nb"}}"#,
                "POST / HTTP/1.1\r\nhost: h\r\nContent-Length: 3\r\n\r\na\nb",
            ),
            (
                r#"{"method":"POST","url":"http://h/","headers":[{"name":"host","value":"h"},
                    {"name":"content-length","value":"7"}],
                    "postData":{"mimeType":"application/x-www-form-urlencoded",
                    "params":[{"name":"a","value":"1"},{"name":"b","value":"2"}]}}"#,
                "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 7\r\n\r\na=1&b=2",
            ),
        ] {
            assert_eq!(frame(request), expected, "{request}");
        }
    }

    #[test]
    fn the_number_chooses_the_entry() {
        let request = |path| format!(r#"{{"method":"GET","url":"http://h{path}","headers":[]}}"#);
        let text = document(&[&request("/0"), &request("/1")]);
        assert!(har(&text, 1).unwrap().bytes.starts_with(b"GET /1 "));
        let error = har(&text, 2).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected an entry with the number 2, counted from 0, found 2 entries in log.entries"
        );
    }

    #[test]
    fn what_was_assumed_is_told() {
        let notes = |request: &str| har(&document(&[request]), 0).unwrap().notes.join(" ");
        assert_eq!(
            notes(r#"{"method":"GET","url":"http://h","headers":[{"name":"Host","value":"h"}]}"#),
            ""
        );
        let told = notes(
            r#"{"method":"POST","url":"http://h","headers":[],"postData":{"mimeType":
                "application/x-www-form-urlencoded; charset=UTF-8","params":[{"name":"a","value":"1"}]}}"#,
        );
        for word in ["Host", "Content-Length", "postData.params"] {
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_with_its_place() {
        let of = |request: &str| har(&document(&[request]), 0).unwrap_err().to_string();
        for (request, place) in [
            (r#"{"method":"GET","url":"/a","headers":[]}"#, "log.entries[0].request.url"),
            (r#"{"method":"GET","url":"ws://h","headers":[]}"#, "log.entries[0].request.url"),
            (r#"{"method":"G T","url":"http://h","headers":[]}"#, "log.entries[0].request.method"),
            (
                r#"{"method":"GET","url":"http://h","headers":[{"name":"a","value":"b\r\nc: d"}]}"#,
                "log.entries[0].request.headers[0].value",
            ),
            (
                r#"{"method":"GET","url":"http://h","headers":[{"name":"a\n","value":"b"}]}"#,
                "log.entries[0].request.headers[0].name",
            ),
            (
                r#"{"method":"POST","url":"http://h","headers":[],"postData":{"mimeType":
                    "multipart/form-data","params":[{"name":"a","fileName":"b"}]}}"#,
                "log.entries[0].request.postData",
            ),
        ] {
            assert!(of(request).ends_with(&format!(" in {place}")), "{}", of(request));
        }
    }

    #[test]
    fn other_json_is_refused_with_its_byte() {
        for (text, at) in [
            ("", 0),
            ("{\"log\":", 7),
            ("{\n\"log\":1}", 8),
            ("{\n\"log\":{\"entries\":x}}", 19),
            ("{}", 1),
            ("a", 0),
        ] {
            let error = har(text, 0).unwrap_err();
            assert_eq!(error.offset(), Some(at), "{text}: {error}");
        }
    }
}
