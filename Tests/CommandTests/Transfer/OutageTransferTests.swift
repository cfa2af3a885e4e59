import Glibc
import Testing

/// Every link of a transfer is dead for longer than either side waits for the other.
@Suite(.enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
struct OutageTransferTests {
    private static let block = 1 << 20
    private static let size = 24_000_000
    /// How long the links are dead, seconds.
    private static let outage = 30.5

    /// How a link dies.
    enum Death: String, CaseIterable, Sendable {
        /// The interface goes down, and the host notices.
        case down
        /// Packets are lost: they are addressed to hardware that does not exist.
        case silent
    }

    private func listen(_ hosts: TwoHosts, _ keys: KeyPairs, _ place: String) throws -> Pathwise {
        let receiver = try Pathwise(
            ["receive"] + hosts.addresses.flatMap { ["--listen", $0] } + [
                "--key", keys.serverFile, "--allow", keys.client, "--output", place, "--once",
            ], namespace: hosts.server)
        let listens = eventually {
            receiver.errorText.split(separator: "\n").count == hosts.links.count
        }
        try #require(listens, "\(receiver.errorText)")
        return receiver
    }

    private func send(_ hosts: TwoHosts, _ keys: KeyPairs, _ source: String) throws -> Pathwise {
        // Four seconds of sending.
        try Pathwise(
            ["send", source, "--key", keys.clientFile, "--peer", keys.server, "--json"]
                + hosts.addresses.flatMap { ["--to", $0] }
                + hosts.links.flatMap { ["--path", "\($0)=\($0),limit=25mbit"] },
            namespace: hosts.client)
    }

    /// Kills all links, or brings them back to life.
    private func set(_ hosts: TwoHosts, _ death: Death, isDead: Bool) {
        for index in hosts.links.indices {
            for end in TwoHosts.End.allCases {
                let command =
                    switch death {
                    case .down: hosts.command(index, end, isUp: !isDead)
                    case .silent: hosts.command(index, end, reachesItsPeer: !isDead)
                    }
                #expect(TwoHosts.shell(command), "\(command)")
            }
        }
    }

    /// Waits without blocking a thread, since the tests have few.
    private func end(of process: Pathwise, within limit: Double) async throws -> Finished? {
        let end = seconds() + limit
        while !process.hasEnded {
            guard seconds() < end else { return nil }
            try await Task.sleep(for: .milliseconds(50))
        }
        return process.wait()
    }

    @Test(arguments: Death.allCases)
    func bothSidesEndAndTheNextRunGoesOn(death: Death) async throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(Self.size), to: source)
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        let receiver = try listen(hosts, keys, place)
        let sender = try send(hosts, keys, source)
        let isHalf = eventually { unfinishedBytes(in: place) > Self.size / 2 }
        #expect(isHalf)
        set(hosts, death, isDead: true)
        let dead = seconds()
        let first = hosts.bytesSent(keys.folder)

        // Ten seconds is how long each waits for a sign of life.
        let sent = try #require(try await end(of: sender, within: 15))
        let received = try #require(try await end(of: receiver, within: 15))
        #expect(seconds() - dead > 9)
        #expect(sent.status == 69)
        #expect(sent.errorLine?.contains("stopped answering on every path") == true)
        let report = try JSONReading(sent)
        #expect(try report.text("items", 0, "outcome") == "failed")
        #expect(try report.number("bytes") == 0)
        #expect(received.status == 69, "\(received.errors)")
        #expect(received.errors.contains("data is not complete: "), "\(received.errors)")
        #expect(received.errors.contains("the part that arrived is \(place)/.pathwise-"))
        let left = unfinishedBytes(in: place)
        #expect(left > Self.size / 2 && left < Self.size)

        while seconds() - dead < Self.outage { try await Task.sleep(for: .milliseconds(100)) }
        let between = hosts.bytesSent(keys.folder)
        set(hosts, death, isDead: false)
        let second = try listen(hosts, keys, place)
        let again = try #require(
            try await end(of: try send(hosts, keys, source), within: 30))
        #expect(again.status == 0, "\(again.errors)")
        #expect(try await end(of: second, within: 5)?.status == 0)
        #expect(bytes(of: place + "/data") == content(Self.size))
        #expect(Scratch.names(in: place) == ["data"])

        // At most one block crosses the links twice; headers take four percent, and data in flight
        // when the links failed is lost.
        let resumed = Int(try JSONReading(again).number("items", 0, "resumed_from"))
        #expect(resumed > left - Self.block && resumed <= left, "\(resumed) of \(left)")
        let rest = hosts.bytesSent(keys.folder) - between
        #expect(Double(rest) < Double(Self.size - resumed) * 1.05 + 200_000, "\(rest) bytes")
        let all = Double(first + rest)
        #expect(all < Double(Self.size + Self.block) * 1.05 + 1_000_000, "\(all) bytes")
    }
}
