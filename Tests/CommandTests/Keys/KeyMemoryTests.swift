import Glibc
import PathLearning
import PathNetwork
import PathTelemetry
import Testing

@testable import PathTransport

/// A core dump of a running receiver contains neither its keys nor those of a connection.
@Suite struct KeyMemoryTests {
    @Test func aDumpOfAReceiverHoldsNoKey() async throws {
        let keys = try KeyPairs()
        let shared = keys.folder.file("shared.key")
        let made = try Pathwise.run("keygen", "--psk", shared)
        #expect(made.status == 0)
        let receiver = try ListeningReceiver(
            keys, output: keys.folder.file("in") + "/", "--psk", shared)
        defer {
            receiver.process.interrupt()
            _ = receiver.process.wait()
        }
        // A client of this process, so that the keys of the connection are known here.
        let serverKey = try KeyFile.readPrivateKey(from: keys.serverFile)
        let presharedKey = try KeyFile.readPresharedKey(from: shared)
        let remote = try #require(SocketAddress(parsing: receiver.ports[0]))
        let client = try ClientDriver(
            connection: try Connection(
                client: ClientIdentity(
                    key: try KeyFile.readPrivateKey(from: keys.clientFile),
                    peer: serverKey.publicKey, presharedKey: presharedKey),
                configuration: ConnectionConfiguration(),
                selector: try PathSelector(.minRTT, seed: 1), stamp: StampClock.now(),
                now: MonotonicClock.now()), plans: [PathPlan(name: "one", remote: remote)],
            onEvent: { _ in }, onRecord: { _ in })
        defer { client.stop() }
        for _ in 0..<250 {
            let isEstablished = client.read { connection, _ in connection.isEstablished }
            if isEstablished { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        // Both ciphers of the receiver have processed packets by now.
        try await Task.sleep(for: .milliseconds(300))
        var secrets: [(name: String, bytes: [UInt8])] = [
            ("the server's private key", try serverKey.secretBytes),
            ("the same in base64", Array(try serverKey.base64.utf8.prefix(43))),
            ("the pre-shared key", presharedKey.secret.array),
            ("the same in base64", Array(presharedKey.base64.utf8.prefix(43))),
        ]
        let sending = client.with { connection, _ in connection.protection?.sendKeys }
        if let sending {
            // The client's sending keys are the server's receiving keys; it also holds the next
            // ones.
            let next = try sending.next()
            secrets.append(("a traffic secret", sending.secret.secret.array))
            secrets.append(("a packet key", Array(sending.key.array.prefix(16))))
            secrets.append(("the next traffic secret", next.secret.secret.array))
            secrets.append(("the next packet key", Array(next.key.array.prefix(16))))
        }
        try #require(secrets.count == 8, "the client is not connected")

        let memory = ProcessMemory(process: receiver.process.process)
        let kept = memory.regions.filter { $0.flags.contains("dd") && $0.flags.contains("rd") }
        let dumped = memory.regions.filter(\.isDumped)
        let size = dumped.reduce(0) { $0 + $1.end - $1.start }
        #expect(size > 1 << 20, "the search looks at the ordinary memory of the process")
        let needles = secrets.map(\.bytes)
        for (index, count) in memory.count(needles, in: dumped).enumerated() {
            #expect(count == 0, "\(secrets[index].name) is in a core dump \(count) times")
        }
        // The search itself works: it finds keys, including those in libcrypto's contexts.
        let found = memory.count(needles, in: kept)
        for index in [0, 2, 5, 6, 7] {
            #expect(found[index] > 0, "\(secrets[index].name) is nowhere")
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(8), &limit)
        let locked = kept.filter(\.isLocked).count
        if limit.rlim_cur >= 4 << 20 { #expect(locked > 0) }
    }

    /// Pages of secrets in this process are left out of dumps, locked, empty in a child, and wiped
    /// when the last owner releases them.
    @Test func secretsHavePagesOfTheirOwn() throws {
        var secret = PresharedKey([UInt8](repeating: 0xa7, count: 32))
        let address = try #require(
            secret.map { key in key.secret.withBytes { UInt64(UInt(bitPattern: $0)) } })
        let region = try #require(ProcessMemory(process: getpid()).region(of: address))
        #expect(!region.isDumped && region.isWipedOnFork)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(8), &limit)
        if limit.rlim_cur >= 1 << 20 { #expect(region.isLocked) }
        secret = nil
        // The pages stay mapped, so they can be read. Another test may have got the same block
        // meanwhile; what matters is that the old bytes are gone.
        let rest = UnsafeRawPointer(bitPattern: UInt(address)).map {
            Array(UnsafeRawBufferPointer(start: $0 + 8, count: 24))
        }
        #expect((rest?.count { $0 == 0xa7 } ?? 24) < 4)
    }
}
