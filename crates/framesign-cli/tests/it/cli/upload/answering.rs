//! A server that gives answers of its own, whatever comes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
};

/// Answers each request by what `answer` makes of its method: a status, and lines of fields after it,
/// without a line end at the end. Tells the request line and the content of what came.
///
/// It is there for as long as the test.
pub(super) fn answering(
    answer: impl Fn(&str) -> &'static str + Clone + Send + 'static,
) -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, tell) = (answer.clone(), tell.clone());
            thread::spawn(move || {
                while let Some(request) = serve(&stream, &answer) {
                    // The test may have ended.
                    let _ = tell.send(request);
                }
            });
        }
    });
    (address, told)
}

fn serve(
    mut stream: &TcpStream,
    answer: impl Fn(&str) -> &'static str,
) -> Option<(String, Vec<u8>)> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    lines.read_line(&mut first).ok().filter(|len| *len > 0)?;
    while lines.read_line(&mut line).ok()? > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut content = vec![0; length];
    lines.read_exact(&mut content).ok()?;
    let answer = answer(first.split(' ').next()?);
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").ok()?;
    Some((first.trim_end().to_owned(), content))
}
