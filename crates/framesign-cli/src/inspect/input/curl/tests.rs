use super::curl;

fn frame(line: &str) -> String {
    String::from_utf8(curl(line).unwrap().bytes).unwrap()
}

/// Method and target, the fields but those that curl always adds, and the body.
fn parts(line: &str) -> (String, Vec<String>, String) {
    let frame = frame(line);
    let (head, body) = frame.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let request = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    let own = ["User-Agent: curl/8.5.0", "Accept: */*", "Host: h"];
    let fields = lines.filter(|line| !own.contains(line)).map(str::to_owned).collect();
    (request, fields, body.to_owned())
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn the_frame_is_the_one_that_curl_sends() {
    assert_eq!(
        frame("curl -X PUT 'http://test.com:8080/a'"),
        "PUT /a HTTP/1.1\r\nHost: test.com:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
    );
    assert_eq!(
        frame(
            "curl --json '{\"a\":1}' https://h -u u:p -r 0-9 -e http://r -b a=1 -b 'b=2' -A me --compressed"
        ),
        "POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dTpw\r\nRange: bytes=0-9\r\n\
         User-Agent: me\r\nAccept-Encoding: deflate, gzip\r\n\
         Referer: http://r\r\nCookie: a=1;b=2\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
    );
}

#[test]
fn host_comes_first_whoever_gives_it() {
    let own = "User-Agent: curl/8.5.0\r\nAccept: */*\r\n";
    let expected = format!("GET / HTTP/1.1\r\nhost: i\r\n{own}A: b\r\n\r\n");
    assert_eq!(frame("curl -H 'A: b' -H 'host: i' h"), expected);
    assert_eq!(frame("curl -H 'Host:' h"), format!("GET / HTTP/1.1\r\n{own}\r\n"));
}

#[test]
fn options_make_the_request() {
    for (line, request, fields, body) in [
        ("curl h", "GET /", &[][..], ""),
        ("$ curl h", "GET /", &[], ""),
        ("/usr/bin/curl -s h", "GET /", &[], ""),
        ("curl --url http://h/x -o file -sSLkv", "GET /x", &[], ""),
        ("curl -I h", "HEAD /", &[], ""),
        ("curl -XPATCH h", "PATCH /", &[], ""),
        ("curl -sXDELETE h", "DELETE /", &[], ""),
        ("curl h?a=1#b", "GET /?a=1", &[], ""),
        ("curl h/a/../b/./c", "GET /b/c", &[], ""),
        ("curl --path-as-is h/a/../b", "GET /a/../b", &[], ""),
        ("curl -g 'h/[1]{a}'", "GET /[1]{a}", &[], ""),
        ("curl --request-target '*' -X OPTIONS h", "OPTIONS *", &[], ""),
        ("curl -d a=1 h", "POST /", &["Content-Length: 3", FORM], "a=1"),
        ("curl -da=1 --data b=2 h", "POST /", &["Content-Length: 7", FORM], "a=1&b=2"),
        ("curl -d '' h", "POST /", &["Content-Length: 0", FORM], ""),
        ("curl -d $'a\\nb' h", "POST /", &["Content-Length: 3", FORM], "a\nb"),
        ("curl --data-raw @a h", "POST /", &["Content-Length: 2", FORM], "@a"),
        ("curl --data-binary $'\\xc3\\xa9' h", "POST /", &["Content-Length: 2", FORM], "é"),
        ("curl -X PUT -d a h", "PUT /", &["Content-Length: 1", FORM], "a"),
        (
            "curl --data-urlencode 'n=a b&é' h",
            "POST /",
            &["Content-Length: 14", FORM],
            "n=a+b%26%C3%A9",
        ),
        ("curl --data-urlencode '=a/b' h", "POST /", &["Content-Length: 5", FORM], "a%2Fb"),
        ("curl --data-urlencode '~ab' h", "POST /", &["Content-Length: 3", FORM], "~ab"),
        ("curl -G -d a=1 -d b=2 h", "GET /?a=1&b=2", &[], ""),
        ("curl -G -d a=1 'h?x'", "GET /?x&a=1", &[], ""),
        ("curl -G -I -d a=1 h", "HEAD /?a=1", &[], ""),
        ("curl -H 'A: b' -H a:c -H 'B;' h", "GET /", &["A: b", "a:c", "B:"], ""),
        ("curl -H 'Accept:' -H 'user-agent: x' h", "GET /", &["user-agent: x"], ""),
        ("curl -H 'Host: other' h", "GET /", &["Host: other"], ""),
        (
            "curl -H 'Content-Type: text/plain' -d a h",
            "POST /",
            &["Content-Type: text/plain", "Content-Length: 1"],
            "a",
        ),
        ("curl -A '' h", "GET /", &[], ""),
        ("curl --oauth2-bearer t h", "GET /", &["Authorization: Bearer t"], ""),
        ("curl https://h:443/ --http2", "GET /", &[], ""),
    ] {
        let fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
        assert_eq!(parts(line), (request.to_owned(), fields, body.to_owned()), "{line}");
    }
}

#[test]
fn long_bodies_are_announced() {
    let expects =
        |len: usize| frame(&format!("curl h -d {}", "a".repeat(len))).contains("Expect: 1");
    assert!(!expects(1024 * 1024) && expects(1024 * 1024 + 1));
}

#[test]
fn what_was_assumed_is_told() {
    let notes = |line| curl(line).unwrap().notes.join(" ");
    assert!(notes("curl h").contains("User-Agent"));
    assert_eq!(notes("curl -A me h"), "");
    assert_eq!(notes("curl -H 'User-Agent:' h"), "");
    assert!(notes("curl -A me --compressed h").contains("Accept-Encoding"));
    assert!(notes("curl -A me -H 'no colon' h").contains("colon"));
}

#[test]
fn what_cannot_be_followed_is_refused_with_its_byte() {
    for (line, at, words) in [
        ("", 0, "begins with curl"),
        ("wget http://h", 0, "begins with curl"),
        ("curl", 4, "a URL"),
        ("curl -s", 7, "a URL"),
        ("curl h i", 7, "one URL"),
        ("curl h -X", 9, "a value behind -X"),
        ("curl h --header", 15, "a value behind --header"),
        ("curl h --frob", 7, "found --frob"),
        ("curl h -sQ", 7, "found -sQ"),
        ("curl -d @file h", 8, "the name of a file"),
        ("curl -d@file h", 5, "the name of a file"),
        ("curl --data-binary @- h", 19, "the name of a file"),
        ("curl --data-urlencode n@file h", 22, "the name of a file"),
        ("curl --json @file h", 12, "the name of a file"),
        ("curl -H @file h", 8, "the name of a file"),
        ("curl -b jar h", 8, "no file"),
        ("curl -T file h", 5, "the bytes in the line"),
        ("curl -F a=b h", 5, "boundary"),
        ("curl -K file h", 5, "the options in the line"),
        ("curl -u me h", 8, "USER:PASSWORD"),
        ("curl -n h", 5, "--user"),
        ("curl -0 h", 5, "HTTP/1.1"),
        ("curl h --next i", 7, "one request"),
        ("curl ftp://h", 5, "http://"),
        ("curl http://u:p@h", 5, "without user"),
        ("curl 'http://h/{a,b}'", 5, "--globoff"),
        ("curl 'http://h/[1-3]'", 5, "--globoff"),
        ("curl 'h/a b'", 5, "without blanks"),
        ("curl -I -d a h", 14, "not both"),
        ("curl -H $'A: b\\r\\nC: d' h", 8, "a line end"),
        ("curl -X $'GET\\n' h", 8, "a line end"),
        ("curl h | jq", 7, "one command"),
    ] {
        let error = curl(line).unwrap_err();
        assert_eq!(error.offset(), Some(at), "{line}: {error}");
        assert!(error.to_string().contains(words), "{line}: {error}");
    }
}
