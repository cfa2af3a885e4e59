import Pathwise
import Testing

/// A policy of a program that uses only the library's public names.
private struct CheapestPolicy: Policy {
    static let descriptor = PolicyDescriptor("cheapest", "the cheapest path with room") {
        CheapestPolicy()
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        var best = 0
        for index in 0..<candidates.count
        where score(of: candidates[index], burst: burst)
            < score(of: candidates[best], burst: burst)
        {
            best = index
        }
        distribution.choose(best, among: candidates)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.traits.pricePerGB
    }
}

/// Tests that `import Pathwise` is enough: this file imports nothing else of the package.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ImportTests {
    /// Both sides send messages, answer messages, and read the status, over two paths.
    @Test func oneImportIsEnough() async throws {
        let key = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        let server = try Server(
            key: key, clients: [clientKey.publicKey], listen: ["127.0.0.1:0", "127.0.0.2:0"])
        let answering = Task {
            for await session in server.sessions {
                for await message in session.messages {
                    try session.sendMessage(message.bytes.reversed(), deadline: .seconds(5))
                }
            }
        }
        let session = try await Session.connect(
            ClientOptions(key: clientKey, server: key.publicKey, to: server.localAddresses))
        #expect(session.peerKey == key.publicKey)
        try session.sendMessage([1, 2, 3], deadline: .seconds(5))
        let answer = try await within(.seconds(10)) {
            for await message in session.messages { return message.bytes }
            return []
        }
        #expect(answer == [3, 2, 1])
        let status: SessionStatus = session.status()
        #expect(status.policy == "learned" && status.elapsed > .zero)
        #expect(status.paths.map(\.name) == ["path1", "path2"])
        await session.close()
        await server.close()
        try await answering.value
    }

    /// The program's own policy decides, and the status shows it.
    @Test func aPolicyOfTheProgramDecides() async throws {
        let key = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        let server = try Server(
            key: key, clients: [clientKey.publicKey], listen: ["127.0.0.1:0", "127.0.0.2:0"])
        var dear = PathTraits()
        dear.pricePerGB = 5
        let session = try await Session.connect(
            ClientOptions(
                identity: ClientIdentity(key: clientKey, peer: key.publicKey),
                plans: [
                    PathPlan(name: "dear", remote: server.localAddresses[0], traits: dear),
                    PathPlan(name: "cheap", remote: server.localAddresses[1]),
                ], policy: CheapestPolicy.descriptor.specification()))
        try await bothPathsWork(session)
        let before = session.status()
        let events = session.events
        // One after the other, so that each finds room on both paths.
        try session.sendMessage([1])
        let delivered = try await within(.seconds(10)) {
            var count = 0
            for await event in events {
                guard case .messageDelivered = event else { continue }
                count += 1
                if count == 10 { break }
                try session.sendMessage([UInt8](repeating: 1, count: 1000))
            }
            return count
        }
        #expect(delivered == 10)
        let after = session.status()
        #expect(after.policy == "cheapest")
        let decided = zip(after.paths, before.paths).map {
            $0.statistics.decisions - $1.statistics.decisions
        }
        #expect(decided[0] == 0 && decided[1] == 10)
        await session.close()
        await server.close()
    }
}

/// Returns when a session has two paths that can carry data.
func bothPathsWork(_ session: Session) async throws {
    try await within(.seconds(10)) {
        while session.status().paths.filter({ $0.snapshot.state == .active }).count < 2 {
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
