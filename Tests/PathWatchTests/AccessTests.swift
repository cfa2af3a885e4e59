import Glibc
import PathTelemetry
import Testing

@testable import PathWatch

/// Who may read what, on every route and every kind of address.
struct AccessTests {
    private static let routes = ["/metrics", "/status", "/history", "/history?minutes=5", "/other"]

    private static let changes = ["/control/path/add", "/control/reload", "/control/none"]

    private func server(
        _ place: String = "127.0.0.1:0", token: WatchToken? = nil, _ changes: Changes = Changes()
    ) throws -> WatchServer {
        try WatchServer(
            on: try WatchAddress(parsing: place), token: token, content: .echo(changes))
    }

    @Test func addressesAreRead() throws {
        #expect(try WatchAddress(parsing: "127.0.0.1:9470").description == "127.0.0.1:9470")
        #expect(try WatchAddress(parsing: "localhost:1").description == "127.0.0.1:1")
        #expect(try WatchAddress(parsing: "[::1]:9470").isLocal)
        #expect(try WatchAddress(parsing: "127.8.8.8:1").isLocal)
        #expect(try WatchAddress(parsing: "unix:/run/x.sock").isLocal)
        #expect(try !WatchAddress(parsing: "0.0.0.0:1").isLocal)
        #expect(try !WatchAddress(parsing: "[::]:1").isLocal)
        #expect(try !WatchAddress(parsing: "192.0.2.1:1").isLocal)
        for text in ["", "9470", "host.example:1", "unix:", "127.0.0.1", "127.1:5", "unix:a/"] {
            #expect(throws: WatchError.malformed(text)) { try WatchAddress(parsing: text) }
        }
    }

    @Test func foreignAddressesNeedAToken() throws {
        for place in ["0.0.0.0:0", "[::]:0"] {
            #expect(throws: WatchError.needsToken(place)) { try server(place) }
        }
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST:9470", true), ("127.0.0.1:9470", true), ("[::1]", true),
        ("[::1]:80", true), ("127.9.9.9", true), ("a.localhost:1", true), ("", false),
        ("evil.example", false), ("127.0.0.1.evil.example", false), ("localhost.evil:80", false),
        ("[::2]:80", false), ("127.0.0.1:99999", false), ("127.0.0.1:x", false),
        ("127.0.0.999", false), ("[::1]x", false), ("0.0.0.0", false),
    ])
    func onlyOwnNamesAreAnswered(host: String, isOwn: Bool) {
        #expect(WatchGate.isOwnName(host) == isOwn)
    }

    @Test func loopbackRefusesForeignNames() async throws {
        let server = try server()
        defer { server.close() }
        let address = server.address
        try await onThread {
            for route in AccessTests.routes + ["/", "/events"] {
                let answer = try Caller.ask(address, route, host: "rebound.example")
                #expect(status(answer) == 421, "\(route)")
                #expect(!answer.contains("secret") && !answer.contains("page"))
            }
            for route in ["/metrics", "/status", "/history"] {
                let answer = try Caller.ask(address, route)
                #expect(status(answer) == 200 && answer.hasSuffix("secret of \(route)"))
            }
            #expect(status(try Caller.ask(address, "/other")) == 404)
            #expect(try Caller.ask(address, "/").hasSuffix("page"))
        }
    }

    @Test(arguments: ["0.0.0.0:0", "127.0.0.1:0", "unix"])
    func everyRouteWantsTheToken(place: String) async throws {
        let folder = Folder()
        let path = folder.file("token")
        let token = try WatchToken(file: path)
        let text = try #require(readLines(path).first)
        let changes = Changes()
        let server = try server(
            place == "unix" ? "unix:" + folder.file("socket") : place, token: token, changes)
        defer { server.close() }
        let address = server.address
        try await onThread {
            let wrong = [
                "", "Bearer", "Bearer ", "Bearer x", "Bearer \(text)x", "Bearer \(text.dropLast())",
                "Basic \(text)", text, "Bearer  \(text)", "Bearer \(text.uppercased())",
            ]
            let methods = [
                "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get",
                "CONNECT",
            ]
            for route in AccessTests.routes + AccessTests.changes + ["/events"] {
                var answers: [String] = []
                for header in wrong {
                    for method in ["GET", "POST"] {
                        answers.append(
                            try Caller.ask(
                                address, route, method: method, "Authorization: \(header)"))
                    }
                }
                for method in methods {
                    answers.append(try Caller.ask(address, route, method: method))
                }
                answers.append(try Caller.ask(address, route, method: "POST", body: "{}"))
                // A head without its body is refused before the body.
                let caller = try Caller(address)
                caller.write("POST \(route) HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
                answers.append(caller.read())
                for answer in answers {
                    #expect(status(answer) == 401, "\(route): \(answer)")
                    #expect(!answer.contains("secret") && !answer.contains("first"))
                    #expect(answer.contains("WWW-Authenticate: Bearer"))
                }
            }
            #expect(changes.list == [])
            for route in ["/metrics", "/status", "/history"] {
                // With the token any name is right, as that of a proxy.
                let answer = try Caller.ask(
                    address, route, host: "status.example", "Authorization: bearer \(text)")
                #expect(status(answer) == 200 && answer.hasSuffix("secret of \(route)"))
            }
            #expect(try Caller.ask(address, "/").hasSuffix("page"))

            let bearer = "Authorization: Bearer \(text)"
            for method in methods.dropFirst(2) where method != "POST" {
                let answer = try Caller.ask(address, "/status", method: method, bearer)
                #expect(status(answer) == 405 && answer.contains("Allow: GET, HEAD\r\n"))
            }
            for method in methods where method != "POST" {
                let answer = try Caller.ask(address, "/control/reload", method: method, bearer)
                #expect(status(answer) == 405 && answer.contains("Allow: POST\r\n"), "\(method)")
            }
            #expect(status(try Caller.ask(address, "/control/none", method: "POST", bearer)) == 404)
            // What is read has no body; the route counts before that.
            for (route, answer) in [
                ("/status", 413), ("/", 413), ("/control/reload", 405), ("/x", 404),
            ] {
                #expect(
                    status(try Caller.ask(address, route, bearer, body: "x")) == answer, "\(route)")
            }
            #expect(changes.list == [])
            let answer = try Caller.ask(
                address, "/control/path/add", method: "POST", host: "proxy.example", bearer,
                body: "{\"spec\":\"a\"}")
            #expect(status(answer) == 200, "\(answer)")
            #expect(answer.hasSuffix("done: /control/path/add {\"spec\":\"a\"}"))
            #expect(changes.list == ["/control/path/add {\"spec\":\"a\"}"])
        }
    }

    /// Without a token nothing can be changed, on this host either.
    @Test(arguments: ["127.0.0.1:0", "unix"])
    func changesNeedAToken(place: String) async throws {
        let folder = Folder()
        let changes = Changes()
        let server = try server(
            place == "unix" ? "unix:" + folder.file("socket") : place, token: nil, changes)
        defer { server.close() }
        let address = server.address
        try await onThread {
            for route in AccessTests.changes + AccessTests.routes + ["/"] {
                for header in ["X: y", "Authorization: Bearer ", "Authorization: Bearer x"] {
                    let answer = try Caller.ask(address, route, method: "POST", header, body: "{}")
                    #expect(status(answer) == 403 && answer.contains("--http-token"), "\(route)")
                }
            }
            #expect(status(try Caller.ask(address, "/control/reload")) == 405)
            #expect(changes.list == [])
        }
    }

    /// A page of another place changes nothing, even if it knew the token.
    @Test func foreignPagesChangeNothing() async throws {
        let folder = Folder()
        let token = try WatchToken(file: folder.file("token"))
        let text = try #require(readLines(folder.file("token")).first)
        let changes = Changes()
        let server = try server(token: token, changes)
        defer { server.close() }
        let address = server.address
        try await onThread { () throws in
            func post(_ headers: String...) throws -> Int {
                let caller = try Caller(address)
                let lines = (headers + ["Authorization: Bearer \(text)", "Host: localhost:9470"])
                    .map { $0 + "\r\n" }.joined()
                caller.write("POST /control/reload HTTP/1.1\r\nConnection: close\r\n\(lines)\r\n")
                return status(caller.read())
            }
            for headers in [
                "Origin: http://evil.example", "Origin: null", "Origin: http://localhost",
                "Origin: http://localhost:9471", "Origin: ", "Origin: localhost:9470",
                "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
                "Origin: http://localhost:9470\r\nSec-Fetch-Site: cross-site",
            ] { #expect(try post(headers) == 403, "\(headers)") }
            #expect(
                try post("Origin: http://localhost:9470", "Origin: http://localhost:9470") == 400)
            #expect(changes.list == [])
            for headers in [
                "Origin: http://localhost:9470", "Sec-Fetch-Site: same-origin",
                "Sec-Fetch-Site: none",
                "Origin: http://LOCALHOST:9470\r\nSec-Fetch-Site: same-origin",
            ] { #expect(try post(headers) == 200, "\(headers)") }
            #expect(changes.list.count == 4)
        }
    }

    private func readLines(_ path: String) -> [String] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
            .map(String.init)
    }

    @Test func tokensAreMadeOnceAndForTheOwnerAlone() throws {
        let folder = Folder()
        let path = folder.file("token")
        _ = try WatchToken(file: path)
        let first = readLines(path)
        #expect(first.count == 1 && first[0].utf8.count == 64)
        var information = stat()
        #expect(stat(path, &information) == 0 && information.st_mode & 0o777 == 0o600)
        #expect(try WatchToken(file: path).allows("Bearer \(first[0])"))
        #expect(readLines(path) == first)
        chmod(path, 0o640)
        #expect(throws: WatchError.self) { try WatchToken(file: path) }
        chmod(path, 0o600)
        for bad in ["", "short", String(repeating: "a", count: 600), "two words and so on 1234567"]
        {
            let file = open(path, O_WRONLY | O_TRUNC)
            _ = write(file, bad, bad.utf8.count)
            close(file)
            #expect(throws: WatchError.self, "\(bad)") { try WatchToken(file: path) }
        }
        #expect(throws: WatchError.self) { try WatchToken(file: folder.path) }
        #expect(throws: WatchError.self) { try WatchToken(file: folder.path + "/none/token") }
        let other = Folder()
        _ = try WatchToken(file: other.file("token"))
        #expect(readLines(other.file("token")) != first)
    }

    @Test func socketsOfPathsAreForTheirUser() throws {
        let folder = Folder()
        let path = folder.file("socket")
        let one = try server("unix:" + path)
        var information = stat()
        #expect(lstat(path, &information) == 0)
        #expect(information.st_mode & 0o777 == 0o600 && information.st_mode & S_IFMT == S_IFSOCK)
        #expect(throws: WatchError.inUse(path)) { try server("unix:" + path) }
        one.close()
        #expect(lstat(path, &information) != 0)
        // A socket that a killed process left is replaced; a file is not.
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        _ = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        close(left)
        #expect(lstat(path, &information) == 0)
        let two = try server("unix:" + path)
        two.close()
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: WatchError.self) { try server("unix:" + path) }
        #expect(lstat(path, &information) == 0)
    }
}
