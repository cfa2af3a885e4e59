import Glibc
import PathTelemetry
import Testing

@testable import PathWatch

/// Connections of a watch server: those that are slow, many, damaged, and those that follow events.
struct ServerTests {
    private func server(_ content: WatchContent = .echo) throws -> WatchServer {
        try WatchServer(
            on: try WatchAddress(parsing: "127.0.0.1:0"), token: nil, content: content)
    }

    @Test func aConnectionIsUsedAgain() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let caller = try Caller(address)
            for route in ["/metrics", "/status"] {
                caller.write("GET \(route) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(caller.read(until: "secret of \(route)").contains("Content-Length: "))
            }
            // Two at once, the second without a body.
            caller.write(
                "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    + "GET /history HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            let both = caller.read()
            #expect(both.components(of: "HTTP/1.1 200 OK") == 2)
            #expect(!both.contains("secret of /metrics") && both.hasSuffix("secret of /history"))
        }
    }

    /// A change is answered when it is made, in the order of the connection; others go on meanwhile.
    @Test func changesAreAnsweredLater() async throws {
        let folder = Folder()
        let file = folder.file("token")
        let token = try WatchToken(file: file)
        let text = try #require(String(validating: contents(file), as: UTF8.self)).dropLast()
        let changes = Changes()
        let server = try WatchServer(
            on: try WatchAddress(parsing: "127.0.0.1:0"), token: token, content: .echo(changes))
        defer { server.close() }
        let address = server.address
        try await onThread {
            let head = "Host: a\r\nAuthorization: Bearer \(text)\r\n"
            func change(_ body: String) -> String {
                "POST /control/path/add HTTP/1.1\r\n\(head)Content-Length: \(body.utf8.count)\r\n"
                    + "\r\n\(body)"
            }
            let caller = try Caller(address)
            caller.write(
                change("one") + change("two") + "GET /status HTTP/1.1\r\n\(head)\r\n"
                    + change("three").dropLast(2))
            let first = caller.read(until: "secret of /status")
            let one = try #require(first.firstRange(of: "done: /control/path/add one"))
            let two = try #require(first.firstRange(of: "done: /control/path/add two"))
            #expect(one.upperBound < two.lowerBound)
            #expect(changes.list == ["/control/path/add one", "/control/path/add two"])
            caller.write("ee")
            #expect(caller.read(until: "three").contains("200 OK"))
            // Somebody who does not wait for the answer breaks nothing.
            for _ in 0..<20 { try Caller(address).write(change("gone")) }
            #expect(
                status(try Caller.ask(address, "/status", "Authorization: Bearer \(text)")) == 200)
        }
    }

    private func contents(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = read(file, &bytes, bytes.count)
        return Array(bytes[..<max(0, count)])
    }

    @Test func answersForbidWhatPagesMustNotDo() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let answer = try Caller.ask(address, "/metrics")
            for header in [
                "Cache-Control: no-store", "Content-Security-Policy: default-src 'none'",
                "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
                "Cross-Origin-Resource-Policy: same-origin", "Referrer-Policy: no-referrer",
            ] { #expect(answer.contains(header + "\r\n") || answer.contains(header + ";")) }
            #expect(!answer.contains("Access-Control"))
        }
    }

    @Test func aLargeAnswerArrives() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let answer = try Caller.ask(address, "/large")
            #expect(answer.utf8.count > 3_000_000)
        }
    }

    @Test func followersGetEventsInOrder() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let caller = try Caller(address)
            caller.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let first = caller.read(until: "first\n\n")
            #expect(first.contains("Content-Type: text/event-stream"))
            #expect(!first.contains("Content-Length"))
            #expect(server.isFollowed)
            for number in 0..<100 {
                server.publish(EventText.event("path", Array("\(number)".utf8)))
            }
            let text = caller.read(until: "data: 99\n\n")
            let numbers = text.split(separator: "\n").filter { $0.hasPrefix("data: ") }
                .compactMap { Int($0.dropFirst(6)) }
            #expect(numbers == Array(0..<100))
        }
        for _ in 0..<500 where server.isFollowed { usleep(10_000) }
        #expect(!server.isFollowed)
        // What nobody follows is not kept.
        server.publish([UInt8](repeating: 0, count: 5_000_000))
    }

    /// A follower that reads nothing is cut off when too much waits for it, and the others go on.
    @Test func aFollowerThatDoesNotReadIsCutOff() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let slow = try Caller(address)
            slow.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = slow.read(until: "first")
            let event = EventText.event("x", [UInt8](repeating: 120, count: 100_000))
            for _ in 0..<600 {
                guard server.isFollowed else { break }
                server.publish(event)
                usleep(2000)
            }
            #expect(!server.isFollowed)
            #expect(status(try Caller.ask(address, "/metrics")) == 200)
        }
    }

    @Test func onlySoManyMayFollow() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            var callers: [Caller] = []
            for _ in 0..<WatchLimits.followers {
                let caller = try Caller(address)
                caller.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(status(caller.read(until: "first")) == 200)
                callers.append(caller)
            }
            #expect(status(try Caller.ask(address, "/events")) == 503)
            #expect(status(try Caller.ask(address, "/metrics")) == 200)
        }
    }

    /// Connections that ask for nothing give their places to others, and are ended after 5 s.
    @Test func silentConnectionsTakeNoPlaceForLong() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let known = try Caller(address)
            known.write("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = known.read(until: "secret")
            var silent: [Caller] = []
            for number in 0..<3 * WatchLimits.clients {
                let caller = try Caller(address)
                if number % 2 == 0 { caller.write("GET / HTTP/1.1\r\nX: ") }
                silent.append(caller)
            }
            #expect(status(try Caller.ask(address, "/metrics")) == 200)
            // The one that was answered before has kept its place.
            known.write("GET /history HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(known.read(until: "secret of /history").contains("200 OK"))
            let before = time(nil)
            for caller in silent.suffix(8) { #expect(caller.read() == "") }
            #expect(time(nil) - before <= 15)
        }
    }

    /// A request that trickles in has to be whole after 5 s, however often something comes.
    @Test func aRequestThatTricklesIsEnded() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let caller = try Caller(address)
            caller.write("GET / HTTP/1.1\r\nHost: localhost\r\n")
            var writes = 0
            while writes < 300, caller.write("X: y\r\n") {
                usleep(100_000)
                writes += 1
            }
            #expect(writes < 200, "about 50 are expected")
        }
    }

    @Test func headersWithoutEndAreRefused() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            let caller = try Caller(address)
            caller.write("GET / HTTP/1.1\r\nHost: localhost\r\n")
            let piece = Array(("X: " + String(repeating: "y", count: 997) + "\r\n").utf8)
            for _ in 0..<20_000 { guard caller.write(piece) else { break } }
            let one = try Caller(address)
            one.write("GET / HTTP/1.1\r\nX: " + String(repeating: "y", count: 8300))
            #expect(status(one.read()) == 431)
            #expect(status(try Caller.ask(address, "/metrics")) == 200)
        }
    }

    /// Damaged requests over connections: the answer is a refusal or a right one, and the server goes
    /// on.
    @Test func damagedConnectionsAreRefused() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            var generator = SeededGenerator(seed: 4711)
            let sample = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
            var refused = 0
            for number in 0..<2000 {
                var bytes = sample
                for _ in 0..<1 + generator.next() % 3 {
                    let at = Int(generator.next() % UInt64(bytes.count))
                    bytes[at] = UInt8(truncatingIfNeeded: generator.next())
                }
                let caller = try Caller(address)
                caller.write(bytes)
                shutdown(caller.descriptor, Int32(SHUT_WR))
                let answer = caller.read()
                if answer.isEmpty { continue }
                let code = status(answer)
                #expect(HTTPStatus(rawValue: code) != nil, "number \(number): \(answer)")
                #expect(code == 200 || !answer.contains("secret"))
                if code >= 400 { refused += 1 }
            }
            #expect(refused > 1000)
            #expect(status(try Caller.ask(address, "/metrics")) == 200)
        }
    }

    @Test func thePageIsWholeAndSmall() throws {
        let response = WatchPage.response()
        #expect(response.status == .ok)
        #expect(response.body.count < 300_000)
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(!text.contains("NONCE"))
        #expect(!text.contains("http://") && !text.contains("https://"), "nothing from elsewhere")
        let policy = response.contentPolicy
        let mark = try #require(policy.firstRange(of: "'nonce-"))
        let nonce = policy[mark.upperBound...].prefix { $0 != "'" }
        #expect(nonce.count == 32)
        #expect(text.components(of: "nonce=\"\(nonce)\"") == 2)
        #expect(!policy.contains("unsafe"))
        // Another page has another number.
        #expect(WatchPage.response().contentPolicy != policy)
        // Names from the network reach the page as text only.
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            #expect(!text.contains(word), "\(word)")
        }
    }
}

extension String {
    /// How often a text is in this one.
    func components(of text: String) -> Int { ranges(of: text).count }
}
