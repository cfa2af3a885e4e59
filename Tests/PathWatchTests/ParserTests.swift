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
        #expect(plain.number("minutes") == 60)
        #expect(plain.number("points") == 10)
        #expect(plain.number("point") == nil)
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

    @Test func numbersOfTheQueryAreBounded() {
        var request = HTTPRequest()
        for query in ["points=", "points=-1", "points=1e3", "points=9999999999", "points"] {
            request.query = query
            #expect(request.number("points") == nil, "\(query)")
        }
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
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", HTTPStatus.methodNotAllowed),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", .methodNotAllowed),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .versionNotSupported),
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
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", .bodyTooLarge),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", .badRequest),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            .badRequest
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .bodyTooLarge),
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
            case .incomplete: found.incomplete += 1
            case .refused: found.refused += 1
            case .request(let request, let length):
                found.requests += 1
                #expect(length <= bytes.count && request.path.hasPrefix("/"), "seed \(seed)")
            }
            let cut = Int(generator.next() % UInt64(bytes.count))
            switch (HTTPParser.parse(Array(bytes[..<cut])), whole) {
            case (.incomplete, _): break
            case (let part, let whole):
                #expect(part == whole, "seed \(seed), number \(number)")
            }
        }
        #expect(found.requests > count / 10)
        #expect(found.refused > count / 4)
        #expect(found.incomplete > count / 20)
    }
}
