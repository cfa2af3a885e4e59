import Glibc
import PathTelemetry
import Testing

@testable import PathWatch

/// Who may read what, on every route and every kind of address.
struct AccessTests {
    private static let routes = ["/metrics", "/status", "/history", "/history?minutes=5", "/other"]

    private func server(
        _ place: String = "127.0.0.1:0", token: WatchToken? = nil
    ) throws -> WatchServer {
        try WatchServer(on: try WatchAddress(parsing: place), token: token, content: .echo)
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
        let server = try server(
            place == "unix" ? "unix:" + folder.file("socket") : place, token: token)
        defer { server.close() }
        let address = server.address
        try await onThread {
            let wrong = [
                "", "Bearer", "Bearer ", "Bearer x", "Bearer \(text)x", "Bearer \(text.dropLast())",
                "Basic \(text)", text, "Bearer  \(text)", "Bearer \(text.uppercased())",
            ]
            for route in AccessTests.routes + ["/events"] {
                var answers = [try Caller.ask(address, route)]
                for header in wrong {
                    answers.append(
                        try Caller.ask(address, route, "Authorization: \(header)"))
                }
                for method in ["GET", "HEAD"] {
                    answers.append(try Caller.ask(address, route, method: method))
                }
                for answer in answers {
                    #expect(status(answer) == 401, "\(route): \(answer)")
                    #expect(!answer.contains("secret") && !answer.contains("first"))
                    #expect(answer.contains("WWW-Authenticate: Bearer"))
                }
                for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                    #expect(status(try Caller.ask(address, route, method: method)) == 405)
                }
            }
            for route in ["/metrics", "/status", "/history"] {
                // With the token any name is right, as that of a proxy.
                let answer = try Caller.ask(
                    address, route, host: "status.example", "Authorization: bearer \(text)")
                #expect(status(answer) == 200 && answer.hasSuffix("secret of \(route)"))
            }
            #expect(try Caller.ask(address, "/").hasSuffix("page"))
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
