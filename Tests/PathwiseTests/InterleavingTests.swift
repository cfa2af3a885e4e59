import Glibc
import PathTelemetry
import Testing

@testable import Pathwise

/// Several clients that send items of the same names at once.
@Suite(.serialized) struct InterleavingTests {
    /// A client that is told "stored" finds its own bytes, for any order of the pieces.
    @Test(arguments: 1...20)
    func everyoneFindsItsOwnBytes(seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let folders = Folders()
        let inside = folders.path + "/in"
        let rule: ConflictRule = seed % 2 == 0 ? .rename : .refuse
        let host = try Loopback(
            place: .path(Array((inside + "/").utf8), isFolder: true), clients: 3,
            onConflict: rule, synchronizes: seed % 4 == 0)
        // Names that an unfinished item could have had are names like any other.
        let names = ["n", "n.1", "n.partial", ".n.part"]
        var inputs: [[String]] = []
        for client in 0..<3 {
            let own = folders.path + "/\(client)"
            mkdir(own, 0o755)
            inputs.append(
                names.map { name in
                    let size =
                        Int.random(in: 0...3, using: &random) * 400_000
                        + Int.random(in: 0...40_000, using: &random)
                    let bytes = (0..<size).map { _ in
                        UInt8(truncatingIfNeeded: random.next())
                    }
                    write([UInt8(client)] + bytes, to: own + "/" + name)
                    return own + "/" + name
                }.shuffled(using: &random))
        }
        let results = try await withThrowingTaskGroup(of: (Int, [SentItem]).self) { group in
            for client in 0..<3 {
                let inputs = inputs[client]
                let pause = Int.random(in: 0...8, using: &random)
                group.addTask {
                    let session = try await host.connect(client)
                    try await Task.sleep(for: .milliseconds(pause))
                    let sent = try await sendAll(session, inputs)
                    await session.close()
                    return (client, sent)
                }
            }
            var all: [(Int, [SentItem])] = []
            for try await result in group { all.append(result) }
            return all
        }
        await host.close()
        var stored: Set<String> = []
        for (client, items) in results {
            #expect(items.count == names.count)
            for item in items where item.outcome == .stored {
                let name = (item.storedName ?? item.name).description
                #expect(stored.insert(name).inserted, "two were told that \(name) is theirs")
                let isOwn =
                    content(of: inside + "/" + name)
                    == content(of: folders.path + "/\(client)/\(item.name)")
                #expect(isOwn, "seed \(seed): \(name) of client \(client)")
            }
            if rule == .rename { #expect(items.allSatisfy { $0.outcome == .stored }) }
        }
        if rule == .refuse { #expect(stored.count == names.count) }
        // Neither unfinished nor unreported files are left.
        #expect(Set(Folders.names(inside)) == stored)
    }
}
