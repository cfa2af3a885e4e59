import Glibc
import PathTelemetry
import Testing

@testable import PathWatch

/// What is a request, and what is refused.
struct ParserTests {
    private func parse(_ text: String) -> HTTPParser.Finding {
        HTTPParser.parse(Array(text.utf8))
    }

    private func request(_ text: String) throws -> HTTPRequest {
        guard case .request(let request, let length) = parse(text) else {
            Issue.record("\(parse(text))")
            return HTTPRequest()
        }
        #expect(length == text.utf8.count)
        return request
    }

    @Test func requestsAreRead() throws {
        let plain = try request(
            "GET /history?minutes=60&points=10 HTTP/1.1\r\nHost: 127.0.0.1:9470\r\n"
                + "AUTHORIZATION:  Bearer abc \r\nAccept: */*\r\n\r\n")
        #expect(plain.path == "/history")
        #expect(try plain.number("minutes", in: 1...60) == 60)
        #expect(try plain.number("points", in: 1...60) == 10)
        #expect(try plain.number("point", in: 1...60) == nil)
        #expect(plain.host == "127.0.0.1:9470")
        #expect(plain.authorization == "Bearer abc")
        #expect(plain.method == .get)
        #expect(plain.isPersistent)
        let old = try request("HEAD / HTTP/1.0\r\n\r\n")
        #expect(old.method == .head)
        #expect(!old.isPersistent)
        #expect(try request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").isPersistent)
        #expect(
            try !request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close, x\r\n\r\n").isPersistent)
        // The host of the target counts, and not the header's.
        let full = try request("GET http://evil.example?a=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(full.host == "evil.example")
        #expect(full.path == "/")
        #expect(full.query == "a=1")
        #expect(try request("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").path == "/")
    }

    @Test func numbersOfTheQueryAreBounded() throws {
        var request = HTTPRequest()
        for query in [
            "points=", "points=-1", "points=1e3", "points=9999999999", "points", "points=0",
            "points=1441", "a=1&points=%31", "points==1",
        ] {
            request.query = query
            #expect(throws: HTTPStatus.badRequest, "\(query)") {
                try request.number("points", in: 1...1440)
            }
        }
        for query in ["", "point=5", "=5", "&&"] {
            request.query = query
            #expect(try request.number("points", in: 1...1440) == nil, "\(query)")
        }
    }

    @Test func bodiesAreRead() throws {
        let head =
            "POST /control/path/add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        let whole = head + "Content-Length: 12\r\n\r\n{\"spec\":\"a\"}"
        let change = try request(whole)
        #expect(change.method == .post && change.type == "application/json")
        #expect(String(decoding: change.body, as: UTF8.self) == "{\"spec\":\"a\"}")
        // Without its end it is a head, and what follows belongs to the next request.
        var empty = change
        empty.body = []
        for length in 1...12 { #expect(parse(String(whole.dropLast(length))) == .head(empty)) }
        #expect(parse(whole + "GET ") == .request(change, length: whole.utf8.count))
        #expect(try request(head + "\r\n").body == [])
        let longest = String(repeating: "x", count: HTTPParser.longestBody)
        #expect(
            try request(head + "Content-Length: 08192\r\n\r\n" + longest).body.count
                == HTTPParser.longestBody)
        for (length, answer) in [
            ("8193", HTTPStatus.bodyTooLarge), ("99999999999999999999", .bodyTooLarge),
            ("-1", .badRequest), ("+1", .badRequest), ("0x1", .badRequest), ("", .badRequest),
            ("1, 1", .badRequest),
        ] { #expect(parse(head + "Content-Length: \(length)\r\n\r\n") == .refused(answer)) }
        #expect(
            parse(head + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1")
                == .refused(.lengthRequired))
        #expect(try request("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n").method == .other)
        #expect(try request("get / HTTP/1.1\r\nHost: a\r\n\r\n").method == .other)
    }

    @Test func requestsFollowOneAnother() {
        let two = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        guard case .request(let first, let length) = parse(two) else {
            Issue.record("no request")
            return
        }
        #expect(first.path == "/a")
        #expect(length == two.utf8.count / 2)
    }

    @Test(arguments: [
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", HTTPStatus.versionNotSupported),
        ("GET / HTTP/1.1x\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .badRequest),
        ("GET index HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\nHost: a\n\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", .badRequest),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", .badRequest),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            .badRequest
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthRequired),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 8193\r\n\r\n1", .bodyTooLarge),
        ("GET / HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nOrigin: a\r\n\r\n", .badRequest),
        ("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", .expectationFailed),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", .badRequest
        ),
    ])
    func damageIsRefused(text: String, answer: HTTPStatus) {
        #expect(parse(text) == .refused(answer))
    }

    @Test func lengthIsLimited() {
        let target = "/" + String(repeating: "a", count: 1024)
        #expect(parse("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n") == .refused(.targetTooLong))
        // Without an end of line too, and long before the limit of all headers.
        #expect(parse(String(repeating: "a", count: 1100)) == .refused(.targetTooLong))
        #expect(parse(String(repeating: "a", count: 900)) == .incomplete)
        let many = String(repeating: "A: b\r\n", count: 65)
        #expect(parse("GET / HTTP/1.1\r\n\(many)\r\n") == .refused(.headersTooLarge))
        let long = "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 9000)
        #expect(parse(long) == .refused(.headersTooLarge))
        #expect(HTTPParser.parse(Array(long.utf8.prefix(8191))) == .incomplete)
    }

    /// 100,000 damaged requests: each is a request, unfinished, or refused, and a beginning of one is
    /// never taken for something else than the whole.
    @Test func damagedRequestsAreReadOrRefused() {
        let samples = [
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:9470\r\nAuthorization: Bearer 0123\r\n\r\n",
            "HEAD /history?minutes=60&points=720 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET http://localhost/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "POST /control/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"spec\":\"a\"}",
        ].map { Array($0.utf8) }
        let seed: UInt64 = 17
        var generator = SeededGenerator(seed: seed)
        let count = getenv("PATHWISE_FUZZ").flatMap { Int(String(cString: $0)) } ?? 100_000
        var found = (requests: 0, refused: 0, incomplete: 0)
        for number in 0..<count {
            var bytes = samples[number % samples.count]
            for _ in 0..<generator.next() % 4 {
                let at = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 5 {
                case 0: bytes[at] ^= 1 << UInt8(generator.next() % 8)
                case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
                case 2: bytes.remove(at: at)
                case 3: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: at)
                default: bytes.removeLast(min(bytes.count - 1, Int(generator.next() % 30)))
                }
            }
            let whole = HTTPParser.parse(bytes)
            switch whole {
            case .incomplete, .head: found.incomplete += 1
            case .refused: found.refused += 1
            case .request(let request, let length):
                found.requests += 1
                #expect(length <= bytes.count && request.path.hasPrefix("/"), "seed \(seed)")
            }
            let cut = Int(generator.next() % UInt64(bytes.count))
            switch (HTTPParser.parse(Array(bytes[..<cut])), whole) {
            case (.incomplete, _): break
            case (.head(let head), .request(var request, _)):
                request.body = []
                #expect(head == request, "seed \(seed), number \(number)")
            case (let part, let whole):
                #expect(part == whole, "seed \(seed), number \(number)")
            }
        }
        #expect(found.requests > count / 10)
        #expect(found.refused > count / 4)
        #expect(found.incomplete > count / 20)
    }
}
