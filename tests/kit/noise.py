"""What strangers send that is no request of ours: a table of raw bytes.

Most of it was read off the hooks that uvicorn, httptools, websockets, Channels, Django and
DRF leave open: each entry once made one of them raise, hang or log an error somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

HOST = b"Host: localhost\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
SOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
LOGIN = b"/api/v1/auth/login"
METHODS = (
    *(b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"POST", b"PUT", b"PATCH", b"DELETE"),
    *(b"PROPFIND", b"QUERY", b"LINK", b"PURGE", b"M-SEARCH"),
)
PATHS = (
    *(b"/", b"/healthz", b"/readyz", b"/metrics", b"/api/v1/me", LOGIN, b"/api/docs/"),
    *(b"/admin/login/", b"/static/icon.svg", b"/ws/v1/", b"/v1/ws", b"/v1/messages", b"/nowhere"),
)
TARGETS = (
    *(b"*", b"http://localhost/healthz", b"http://other.test/healthz", b"http://localhost"),
    *(b"//", b"///healthz", b"/%", b"/%zz", b"/%00", b"/static/%00", b"/%ff%fe", b"/static/%ff"),
    *(b"/static/..%2f..%2fetc%2fpasswd", b"/static/" + b"a" * 5_000, b"/api/v1/users/%00"),
    *(b"/\xc3\xa9", b"/\xff", b"/a?\xff=1", b"/?%", b"/api/v1/me?x=%ff&%00=%00", b"/a#b", b"?"),
    *(b"localhost:80", b"/" + b"a/" * 2_000, b"/admin/?next=%00", b"/swagger/%00", b"/;a=b"),
    *(
        b"/ws/v1/?\xff",
        b"/v1/ws?otp=%00&username=%00",
        b"/v1/ws?" + b"&" * 5_000,
        b"/[",
        b"http://[",
    ),
    *(b"/api/v1/conversations/99999999999999999999999999/messages", b"/api/v1/me?format=api"),
    *(b"/api/schema?format=%00", b"/api/schema?lang=%ff&version=%00", b"/api/asyncapi.json?%00"),
)
# Each is a line, or several, of a head.
HEADERS = (
    *(
        b"Host: evil.test",
        b"Host: localhost\r\nHost: other",
        b"Host: [",
        b"Host: a@b:c",
        b"Host: \xff",
    ),
    *(b"Host: localhost:99999999", b"Host: " + b"a" * 3_000, b"Host: ", b"Host: localhost:abc"),
    *(b"Content-Length: x", b"Content-Length: -1", b"Content-Length: 5\r\nContent-Length: 6"),
    *(b"Content-Length: 99999999999999999999", b"Content-Length: 5,5", b"Content-Length: +1"),
    *(b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Transfer-Encoding: gzip"),
    *(b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: \x0bchunked", b"TE: trailers"),
    *(b"Expect: 100-continue", b"Expect: a miracle", b"Trailer: X-Forwarded-For"),
    *(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA",),
    *(b"Upgrade: \xff\r\nConnection: Upgrade", b"Upgrade: a, b\r\nConnection: Upgrade"),
    *(
        b"Upgrade: TLS/1.0\r\nConnection: upgrade",
        b"Connection: \xff, close",
        b"Connection: close, x",
    ),
    *(b"X-Forwarded-For: \xff, , 1.2.3.4.5", b"X-Forwarded-For: " + b"1," * 5_000),
    *(b"X-Forwarded-Proto: \xff", b"X-Forwarded-Host: [", b"Forwarded: for=\xff"),
    *(b"Authorization: Bearer", b"Authorization: Bearer \xff", b"Authorization: \xff\xfe x y z"),
    *(b"Authorization: Bearer " + b"a." * 4_000, b"Authorization: Basic !!!!", b"Authorization: "),
    *(b"Authorization: Bearer a.b.c\r\nAuthorization: Bearer d.e.f", b"Authorization: Digest x"),
    *(
        b"Cookie: \xff",
        b"Cookie: =;=;;;",
        b'Cookie: sessionid="\\000abcdefghij"',
        b"Cookie: a" * 1_000,
    ),
    *(
        b'Cookie: csrftoken="\\000"; sessionid=' + b"x" * 5_000,
        b"Cookie: messages=x",
        b"Cookie: \t",
    ),
    *(b"Accept: ", b"Accept: ;;;", b"Accept: a/b;q=x", b"Accept: \xff", b"Accept: */*;q=-1"),
    *(b"Accept: application/json; indent=99999999999", b"Accept: " + b"a/b," * 3_000),
    *(b"Accept-Language: \xff", b"Accept-Encoding: \xff", b"Accept-Encoding: gzip;q=x"),
    *(
        b"Content-Type: ",
        b"Content-Type: ;",
        b"Content-Type: \xff",
        b"Content-Type: a/b; charset=\xff",
    ),
    *(b"Content-Type: text/plain; charset=nonsense", b"Content-Type: text/plain; charset=zlib"),
    *(b"Content-Type: application/json; charset=rot13", b"Content-Type: text/plain; charset=idna"),
    *(b"Content-Type: application/x-www-form-urlencoded; charset=hex",),
    *(b"If-Modified-Since: \xff", b"If-None-Match: \xff", b"If-Modified-Since: Thu, 99 Foo 99999"),
    *(b"If-Modified-Since: Thu, 01 Jan 99999999999 00:00:00 GMT", b"Range: bytes=9-1,\xff"),
    *(b"Range: bytes=" + b"9" * 4_000 + b"-", b"Range: bytes=-" + b"9" * 4_000, b"Range: a=0-1"),
    *(b"Origin: \xff", b"Origin: http://[", b"Origin: null", b"Origin: http://a:b", b"Origin: "),
    *(b"Origin: http://localhost:99999999", b"Referer: http://[", b"Referer: \xff"),
    *(b"Access-Control-Request-Method: \xff\r\nOrigin: http://[", b"X-HTTP-Method-Override: \xff"),
    *(b"X-CSRFToken: \xff", b"User-Agent: \xff" * 500, b"\xff: x", b"A B: x", b": x", b"X:\x00y"),
    *(b"X: a\r\n b", b"X: a\nY: b", b"X:" + b" " * 5_000, b"Sec-WebSocket-Key: x", b"no colon"),
)
HANDSHAKES = (
    *(b"", b"Sec-WebSocket-Key: short\r\n", b"Sec-WebSocket-Key: \xff\r\n", KEY + KEY),
    *(KEY + b"Sec-WebSocket-Version: 12\r\n", KEY + b"Sec-WebSocket-Protocol: \xff, ,\r\n"),
    *(KEY + b"Sec-WebSocket-Protocol: chat\r\n", KEY + b"Sec-WebSocket-Extensions: ;;,\xff\r\n"),
    *(
        KEY + b"Content-Length: 5\r\n",
        KEY + b"Transfer-Encoding: chunked\r\n",
        KEY + b"Connection: ,\r\n",
    ),
    *(KEY + b"Upgrade: \xff\r\n", KEY + b"Upgrade: h2c\r\n", KEY + b"Origin: http://[\r\n"),
    *(
        KEY + b"Origin: \xff\r\n",
        KEY + b"Host: [\r\n",
        KEY + b"Origin: http://a\r\nOrigin: http://b\r\n",
    ),
    *(KEY + b"X: " + b"a" * 9_000 + b"\r\n", KEY + b"X: y\r\n" * 90, KEY + b"Cookie: \xff\r\n"),
    *(
        KEY + b"X-Forwarded-For: \xff\r\n",
        KEY + b"Authorization: \xff\r\n",
        KEY + b"Expect: 100-continue\r\n",
    ),
)
BODIES = (
    *(b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000),
    *(b'{"a":' * 20_000, b'{"login":NaN}', b'{"login":1e999,"password":1}', b'{"a":1,"a":2}'),
    *(b'{"login":"\\ud800","password":"x"}', b'{"login":"\\u0000","password":"x"}'),
    *(b'{"login":{"$ne":null},"password":[]}', b"9" * 10_000, b"x" * 140_000),
)
FORMS = (
    *(
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=\xff",
    ),
    *(b"multipart/form-data; boundary=x", b"multipart/form-data; boundary=" + b"b" * 3_000),
    *(
        b"application/x-www-form-urlencoded",
        b"multipart/mixed; boundary=x",
        b"multipart/form-data; charset=zlib; boundary=x",
    ),
)
FORM = b'--x\r\nContent-Disposition: form-data; name="a"; filename="\x00"\r\n\r\n\xff\r\n--x--'
WHOLE = (
    b"GET /\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/3.7\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET  /  HTTP/1.1\r\n" + HOST + b"\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\nxxx",
    b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xa5" * 400,
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x00" * 1_000,
    b"\r\n" * 1_000 + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST " + LOGIN + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST " + LOGIN + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"POST " + LOGIN + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"fffffffffffffffff\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n\x00garbage\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n"
    + HOST
    + b"\r\n"
    + b"GET /ws/v1/ HTTP/1.1\r\n"
    + HOST
    + SOCKET
    + KEY
    + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 2_000 + b"\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
)


def request(method: bytes, target: bytes, head: bytes = HOST, body: bytes = b"") -> bytes:
    return b"%b %b HTTP/1.1\r\n%bConnection: close\r\n\r\n%b" % (method, target, head, body)


def noise() -> Iterator[bytes]:
    """Everything, each for a connection of its own."""
    yield from WHOLE
    for target in TARGETS:
        yield request(b"GET", target)
        yield request(b"POST", target, HOST + b"Content-Length: 2\r\n", b"{}")
        yield b"GET %b HTTP/1.1\r\n%b%b%b\r\n" % (target, HOST, SOCKET, KEY)
    yield from _methods()
    yield from _headers()
    yield from _bodies()


def _methods() -> Iterator[bytes]:
    for method in METHODS:
        for path in PATHS:
            yield request(method, path)
    for method in METHODS[1:]:
        for path in (b"/ws/v1/", b"/v1/ws", b"/nowhere"):
            yield b"%b %b HTTP/1.1\r\n%b%b%b\r\n" % (method, path, HOST, SOCKET, KEY)


def _headers() -> Iterator[bytes]:
    for line in HEADERS:
        host = b"" if line.startswith(b"Host") else HOST
        head = host + line + b"\r\n"
        for path in (b"/api/v1/me?limit=1", b"/static/icon.svg"):
            yield request(b"GET", path, head)
        if b"Content-Length" not in line and b"Transfer" not in line:
            head += b"Content-Length: 2\r\n"
        for path in (LOGIN, b"/admin/login/?a=%ff"):
            yield request(b"POST", path, head, b"{}")
        yield b"GET /ws/v1/ HTTP/1.1\r\n%b%b%b%b\r\n\r\n" % (host, SOCKET, KEY, line)
    for lines in HANDSHAKES:
        for path in (b"/ws/v1/", b"/v1/ws?otp=a&username=b", b"/nowhere"):
            yield b"GET %b HTTP/1.1\r\n%b%b%b\r\n" % (path, HOST, SOCKET, lines)


def _bodies() -> Iterator[bytes]:
    for body in BODIES:
        head = HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        for path in (LOGIN, b"/v1/auth/login"):
            yield request(b"POST", path, head, body)
    for kind in FORMS:
        head = HOST + b"Content-Type: %b\r\nContent-Length: %d\r\n" % (kind, len(FORM))
        for path in (LOGIN, b"/v1/auth/login", b"/admin/login/"):
            yield request(b"POST", path, head, FORM)
