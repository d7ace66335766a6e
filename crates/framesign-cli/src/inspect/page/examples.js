// A request whose other side has made one mistake, with the keys that the protocol publishes for examples.

export const EXAMPLE = {
  kind: "frame",
  input: `POST /reports/2023%2f07/caf%c3%a9?sort=name&q=two+words&tag=b&tag=a HTTP/1.1
Host: api.example.org
X-Trace:   spaces around   
Accept: text/plain
Accept: application/json
X-Note: a value that is folded
   over two lines
Content-Length: 13

{"page": 117}`,
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  date: "20230801",
  other: `POST
/reports/2023%2F07/caf%C3%A9
q=two%2Bwords&sort=name&tag=b%2Ca
accept:text/plain,application/json
content-length:13
host:api.example.org
x-note:a value that is folded over two lines
x-trace:spaces around

af6e298e5fa2b8bdb7205d1072e9ed43dbddfd6135c447ba7b45bdc49cb2c76c`,
};
