import Glibc
import Testing

/// A running `pathwise serve` with a state folder of its own, and hosts that join it.
final class RunningServer {
    let folder: Scratch
    let process: Pathwise
    let address: String
    /// Its clients that forward; they end with it, also after a test that failed.
    private var forwarding: [Pathwise] = []

    /// - Parameters:
    ///   - folder: of an earlier server, to start it again.
    ///   - address: to listen on; port 0 lets the system choose.
    ///   - shell: a shell script that runs it, as in `Pathwise`.
    init(
        _ more: [String] = [], in folder: Scratch = Scratch(), address: String = "127.0.0.1:0",
        shell: String? = nil
    ) throws {
        self.folder = folder
        let process = try Pathwise(
            ["serve", "--state", folder.file("server"), "--listen", address, "--policy", "min-rtt"]
                + more, shell: shell)
        self.process = process
        var found: String?
        _ = eventually {
            found = RunningServer.address(in: process.output)
            return found != nil || process.hasEnded
        }
        self.address = try #require(found, "it does not listen: \(process.errorText)")
    }

    deinit {
        for run in forwarding + [process] {
            if !run.hasEnded { kill(run.process, SIGKILL) }
            _ = run.wait()
        }
    }

    private static func address(in log: String) -> String? {
        let mark = log.contains("\"addresses\":[\"") ? "\"addresses\":[\"" : "listening on "
        guard let start = log.firstRange(of: mark) else { return nil }
        let rest = log[start.upperBound...]
        guard let end = rest.firstIndex(where: { $0 == "\n" || $0 == "\"" || $0 == "," }) else {
            return nil
        }
        return String(rest[..<end])
    }

    var log: String { process.output }
    var state: String { folder.file("server") }
    /// The file of clients.
    var clients: String { text(of: state + "/clients") }

    /// Waits for a text in the log.
    func says(_ text: String) -> Bool { eventually { process.output.contains(text) } }

    /// The token in the log of a first start.
    func firstToken() throws -> String {
        #expect(says("pathwise1-"))
        return try #require(RunningServer.token(in: process.output))
    }

    /// A token of `invite`, which the server knows when this returns.
    func invite(_ more: String...) throws -> String {
        let run = try Pathwise(["invite", "--state", state] + more).wait()
        #expect(run.status == 0, "\(run.errors)")
        // It looks at its files four times a second, and reads those that have come to rest.
        usleep(700_000)
        return try #require(RunningServer.token(in: run.output))
    }

    static func token(in text: String) -> String? {
        text.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("pathwise1-") }
            .map(String.init)
    }

    /// Joins as a host with its own folder.
    func join(_ token: String, host: String, _ more: String...) throws -> Finished {
        try Pathwise(["join", token, "--state", folder.file(host), "--as", host] + more).wait()
    }

    /// Sends a file as a host that has joined.
    func send(_ file: String, from host: String, _ more: String...) throws -> Finished {
        try Pathwise(["send", file, "--state", folder.file(host)] + more).wait()
    }

    /// The name under which a host knows this server.
    func profile(_ host: String) throws -> String {
        let names = Scratch.names(in: folder.file(host) + "/servers")
        return try #require(names.first { !$0.hasPrefix(".") })
    }

    func end(_ signal: Int32 = SIGTERM) -> Finished {
        kill(process.process, signal)
        return process.wait()
    }

    /// A server that the host `van` has joined.
    static func joined(_ more: [String] = []) throws -> RunningServer {
        let server = try RunningServer(more)
        #expect(try server.join(try server.firstToken(), host: "van").status == 0)
        return server
    }

    /// The host `van` forwards, and is connected when this returns.
    func forward(_ arguments: String...) throws -> Pathwise {
        let client = try Pathwise(["forward", "--state", folder.file("van")] + arguments)
        forwarding.append(client)
        #expect(
            eventually {
                client.output.contains("connected over") || client.hasEnded
                    || client.output.contains("\"event\":\"connected\"")
            },
            "\(client.output) \(client.errorText)")
        return client
    }

    /// Changes the line of `van` in the file of clients: adds words to it.
    func allow(_ words: String) {
        let lines = clients.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.hasPrefix("van ") ? "\($0) \(words)" : String($0)
        }
        write(Array(lines.joined(separator: "\n").utf8), to: state + "/clients")
    }

    /// The status of a process of this folder.
    func status(of host: String) throws -> JSONReading {
        let run = try Pathwise(["status", "--json", "--state", folder.file(host)]).wait()
        #expect(run.status == 0, "\(run.errors)")
        return try JSONReading(run)
    }
}

/// The port in a line such as `tcp: listening on 127.0.0.1:40001 for 127.0.0.1:7`.
///
/// - Parameter target: of the forward; nil takes the first of its kind.
func port(of kind: String, in log: String, target: String? = nil) throws -> UInt16 {
    let mark = "\(kind): listening on 127.0.0.1:"
    let line = log.split(separator: "\n").first {
        $0.contains(mark) && (target.map($0.hasSuffix) ?? true)
    }
    let found = try #require(line, "\(log)")
    let start = try #require(found.firstRange(of: mark))
    return try #require(UInt16(found[start.upperBound...].prefix { $0.isNumber }))
}
