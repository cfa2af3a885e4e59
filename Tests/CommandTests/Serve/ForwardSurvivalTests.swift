import Glibc
import PathTelemetry
import Synchronization
import Testing

/// A TCP connection through `forward` outlives every address of its host, and a time without links.
@Suite(.enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
struct ForwardSurvivalTests {
    private static let local: UInt16 = 7778
    private static let target: UInt16 = 7777

    /// Sends back what the first connection brings.
    private static func echo(_ listener: Int32) {
        let peer = accept(listener, nil, nil)
        var bytes = [UInt8](repeating: 0, count: 4096)
        while case let count = read(peer, &bytes, bytes.count), count > 0 {
            guard write(peer, bytes, count) == count else { break }
        }
        close(peer)
    }

    /// A program of the client's host: one connection, over which it asks one after the other.
    private final class Program: Sendable {
        private let answers = Mutex<[UInt8]>([])
        private let question = Atomic<Int>(-1)

        /// Connects on a thread of the host.
        func start(on host: String) throws {
            try TwoHosts.onThread(of: host) { [self] in
                let peer = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                guard withAddress(local, { connect(peer, $0, $1) }) == 0 else { return }
                var asked = -1
                while asked < 100 {
                    let next = question.load(ordering: .acquiring)
                    if next == asked {
                        usleep(2000)
                        continue
                    }
                    asked = next
                    var byte = UInt8(truncatingIfNeeded: next)
                    guard write(peer, &byte, 1) == 1, read(peer, &byte, 1) == 1 else { break }
                    answers.withLock { $0.append(byte) }
                }
                close(peer)
            }
        }

        /// Asks, and waits for the answer of the same connection.
        func ask(_ number: Int, within seconds: Double) async throws -> [UInt8] {
            let before = answers.withLock { $0.count }
            question.store(number, ordering: .releasing)
            for _ in 0..<Int(seconds * 100) {
                let all = answers.withLock { $0 }
                if all.count > before { return all }
                try await Task.sleep(for: .milliseconds(10))
            }
            return answers.withLock { $0 }
        }
    }

    private func start(_ hosts: TwoHosts, _ folder: Scratch) throws -> [Pathwise] {
        let serve = try Pathwise(
            ["serve", "--state", folder.file("server")]
                + hosts.addresses.flatMap { ["--listen", $0, "--public", $0] },
            namespace: hosts.server)
        #expect(eventually { RunningServer.token(in: serve.output) != nil })
        let token = try #require(RunningServer.token(in: serve.output), "\(serve.errorText)")
        let join = try Pathwise(
            ["join", token, "--state", folder.file("client"), "--name", "server"],
            namespace: hosts.client
        ).wait()
        try #require(join.status == 0, "\(join.errors)")
        let forward = try Pathwise(
            [
                "forward", "--state", folder.file("client"),
                "tcp:\(Self.local)=127.0.0.1:\(Self.target)",
            ], namespace: hosts.client)
        #expect(eventually { forward.output.contains("connected over") }, "\(forward.errorText)")
        return [forward, serve]
    }

    @Test func aConnectionOutlivesAddressesAndLinks() async throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        let folder = Scratch()
        try TwoHosts.onThread(of: hosts.server) {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard withAddress(Self.target, { bind(listener, $0, $1) }) == 0,
                listen(listener, 4) == 0
            else { return }
            Self.echo(listener)
            close(listener)
        }
        let processes = try start(hosts, folder)
        let program = Program()
        try program.start(on: hosts.client)
        #expect(try await program.ask(1, within: 30) == [1])

        // Every address is replaced at once, after a second without any.
        hosts.replaceAddresses(after: 1_000_000, 33)
        #expect(try await program.ask(2, within: 30) == [1, 2])

        // No link for longer than a transfer would wait.
        for link in hosts.links { hosts.set(link, "down") }
        async let late = program.ask(3, within: 60)
        try await Task.sleep(for: .seconds(14))
        for link in hosts.links { hosts.set(link, "up") }
        #expect(try await late == [1, 2, 3])
        // The log follows the paths four times a second.
        let isLogged = eventually { processes[0].output.contains("a path works again after ") }
        #expect(isLogged, "\(processes[0].output)")
        #expect(processes[0].output.contains("no path works; flows are held for "))
        #expect(try await program.ask(100, within: 30).count == 4)

        for process in processes {
            kill(process.process, SIGTERM)
            #expect(process.wait().status == 128 + SIGTERM)
        }
    }
}
