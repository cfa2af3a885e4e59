import Glibc
import Testing

/// Two key pairs in a folder, and their public keys.
struct KeyPairs {
    let folder = Scratch()
    let server: String
    let client: String

    init() throws {
        server = try KeyPairs.make(folder.file("server.key"))
        client = try KeyPairs.make(folder.file("client.key"))
    }

    private static func make(_ file: String) throws -> String {
        let run = try Pathwise.run("keygen", file)
        #expect(run.status == 0)
        return run.output.split(separator: "\n").first.map(String.init) ?? ""
    }

    var serverFile: String { folder.file("server.key") }
    var clientFile: String { folder.file("client.key") }
}

/// A receiver that listens on two ports of its own choice.
struct ListeningReceiver {
    let process: Pathwise
    let ports: [String]

    init(_ keys: KeyPairs, output: String, _ more: String...) throws {
        try self.init(keys, output: output, more)
    }

    init(_ keys: KeyPairs, output: String, _ more: [String]) throws {
        process = try Pathwise(
            [
                "receive", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--key",
                keys.serverFile, "--allow", keys.client, "--output", output,
            ] + more)
        var found: [String] = []
        for _ in 0..<500 where found.count < 2 {
            usleep(20_000)
            found = process.errorText.split(separator: "\n").compactMap { line in
                line.hasPrefix("listening on ") ? String(line.dropFirst(13)) : nil
            }
        }
        try #require(found.count == 2, "the receiver does not listen: \(process.errorText)")
        ports = found
    }

    var to: [String] { ports.flatMap { ["--to", $0] } }
}

extension KeyPairs {
    /// Starts a sender with the client's key.
    func send(
        _ inputs: [String], to receiver: ListeningReceiver, _ more: String..., input: String? = nil,
        inputFile: String? = nil
    ) throws -> Pathwise {
        try Pathwise(
            ["send"] + inputs + ["--key", clientFile, "--peer", server] + receiver.to + more,
            input: input, inputFile: inputFile)
    }
}

/// Varied bytes, the same in every run for the same seed.
func content(_ count: Int, seed: UInt64 = 0x9e37_79b9_7f4a_7c15) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// Seconds on a clock that only goes forward.
func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// Waits until a condition holds; returns false after a time.
func eventually(within limit: Double = 10, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = seconds() + limit
    while try !condition() {
        if seconds() > end { return false }
        usleep(5_000)
    }
    return true
}

/// Bytes of the unfinished item in a folder.
func unfinishedBytes(in folder: String) -> Int {
    for name in Scratch.names(in: folder) where name.hasPrefix(".pathwise-") {
        var information = stat()
        if stat(folder + "/" + name, &information) == 0 { return Int(information.st_size) }
    }
    return 0
}

extension Pathwise {
    /// Whether it has ended, and perhaps was waited for; `wait` has to follow.
    var hasEnded: Bool {
        var information = siginfo_t()
        let result = waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT)
        return result != 0 || information.si_signo != 0
    }
}
