import Glibc
import PathLearning
import PathTelemetry
import Testing

@testable import PathTransport

/// Two endpoints with valid keys, one of which is malicious.
///
/// There must be no trap, no endless loop, no unbounded memory, and no effect after the end of the
/// connection. `PATHWISE_FUZZ=N` makes N payloads; `PATHWISE_SEED` sets the first seed.
@Suite struct FrameAttackTests {
    /// The most payloads per connection.
    private static let lifeLength = 3_000

    @Test(arguments: [true, false])
    func whoeverHoldsTheKeysEndsAConnectionAtWorst(attacksServer: Bool) throws {
        let first = getenv("PATHWISE_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
        let total = Fuzz.count(60_000) / 2
        var seed = first
        var done = 0
        var ends: [String: Int] = [:]
        var memory = 0
        while done < total {
            var life = try Life(seed: seed, attacksServer: attacksServer)
            let most = min(FrameAttackTests.lifeLength, total - done)
            done += try life.run(most)
            let end = try life.end()
            ends[end, default: 0] += 1
            // The first connections fill the allocator's caches.
            if seed == first + 20 { memory = Fuzz.residentBytes }
            if memory > 0 {
                let growth = Fuzz.residentBytes - memory
                #expect(growth < Fuzz.memoryLimit, "seed \(seed)")
                if growth >= Fuzz.memoryLimit { return }
            }
            seed += 1
        }
        // How connections ended, the most frequent first: a change here changes what is tried.
        let most = ends.sorted { $0.value > $1.value }.prefix(12)
        print("\(done) payloads in \(seed - first) connections:")
        for (reason, count) in most { print("    \(count) \(reason)") }
        print("    resident memory grew by \((Fuzz.residentBytes - memory) >> 10) kB")
        #expect(done >= total && ends.count >= 2)
    }
}

/// One connection from the handshake until it is dropped.
private struct Life: ~Copyable {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    private var pair: ConnectionPair
    private let box: ConnectionBox
    private var attack: FrameAttack
    private let attacksServer: Bool
    private let seed: UInt64
    private var number: UInt64 = 10_000
    /// Streams that the victim opened.
    private var opened: (bidirectional: UInt64, unidirectional: UInt64) = (0, 0)
    private let sink = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)

    deinit { sink.deallocate() }

    init(seed: UInt64, attacksServer: Bool) throws {
        var configuration = ConnectionConfiguration()
        configuration.isRecording = seed % 4 == 0
        var pair = try ConnectionPair(
            seed: seed,
            policy: seed % 3 == 0 ? try PolicySpecification(parsing: "redundant") : .earliest,
            configuration: configuration)
        pair.run(milliseconds: 2)
        guard let box = pair.box else { throw Fault(description: "no connection, seed \(seed)") }
        self.pair = pair
        self.box = box
        self.attacksServer = attacksServer
        self.seed = seed
        attack = FrameAttack(seed: seed)
    }

    /// Sends payloads until the victim closes; returns their number.
    mutating func run(_ most: Int) throws -> Int {
        for step in 0..<most {
            let opened = opened
            let target = victim { connection in
                FrameAttack.Target(
                    isServer: connection.isServer,
                    nextNumbers: connection.paths.indices.map {
                        connection.paths[$0].recovery.packets.next
                    }, window: connection.configuration.parameters.maximumStreamData,
                    tokens: connection.paths.indices.compactMap {
                        connection.paths[$0].validation.token
                    }, opened: opened)
            }
            try send(attack.payload(target))
            try attend(step)
            if victim({ $0.reason != nil }) { return step + 1 }
        }
        return most
    }

    /// Lets time pass until the victim has dropped the connection; returns how it ended.
    mutating func end() throws -> String {
        let start = pair.now
        victim { if $0.reason == nil { $0.close(now: start) } }
        let limit = start + .seconds(15)
        while !victim({ $0.isClosed }) {
            let now = pair.now
            let due = victim { $0.pollTimeout(now: now) }
            guard due <= limit else { throw fault("does not end") }
            pair.now = max(pair.now, due)
            try settle()
        }
        let reason = victim { $0.reason.map { "\($0)" } ?? "?" }
        let (now, sink) = (pair.now, sink)
        let isQuiet = victim { connection in
            while connection.pollEvent() != nil {}
            return connection.pollTransmit(into: sink, now: now) == nil
                && connection.pollTimeout(now: now) == .distantFuture
        }
        guard isQuiet else { throw fault("speaks after its end") }
        pair.server.remove(box)
        let isEmpty =
            pair.server.connectionCount == 0 && pair.server.initiations.isEmpty
            && pair.server.halfOpen.count == 0
        guard isEmpty else { throw fault("the server remembers the connection") }
        return String(reason.prefix { $0 != "," }.filter { !$0.isNumber }.prefix(60))
    }

    /// The victim's connection.
    private mutating func victim<Result>(_ body: (inout Connection) -> Result) -> Result {
        attacksServer ? box.with(body) : body(&pair.client)
    }

    private func fault(_ text: String) -> Fault {
        Fault(description: "\(text): seed \(seed), attacks server: \(attacksServer)")
    }

    /// Seals with the other side's keys, and delivers.
    private mutating func send(_ payload: [UInt8]) throws {
        number += 1 + (number % 97 == 0 ? 40 : 0)
        // Now and then a path that does not exist yet.
        let path = attack.below(400) == 0 ? attack.below(16) : attack.below(2)
        var packet = [UInt8](
            repeating: 0, count: DataHeader.length + payload.count + CipherSuite.tagLength)
        let receiver = victim { $0.localIndex }
        let number = number
        func seal(_ attacker: inout Connection) -> Int {
            packet.withUnsafeMutableBytes { bytes in
                var writer = ByteWriter(bytes)
                DataHeader(
                    phase: attacker.protection?.phase ?? 0, path: PathID(path),
                    receiver: receiver, packetNumber: number
                ).write(to: &writer)
                writer.bytes(payload)
                return attacker.protection?.seal(
                    packet: bytes, payloadLength: payload.count, path: PathID(path),
                    number: number) ?? 0
            }
        }
        let length = attacksServer ? seal(&pair.client) : box.with { seal(&$0) }
        guard length == packet.count else { throw fault("cannot seal") }
        let now = pair.now
        packet.withUnsafeMutableBytes { bytes in
            if attacksServer {
                _ = pair.server.handleDatagram(
                    bytes, from: .loopback(port: UInt16(4000 + path)), socket: path,
                    receivedAt: now, now: now)
            } else {
                pair.client.handleDatagram(
                    bytes, from: .loopback(port: UInt16(5000 + path)), socket: path,
                    receivedAt: now, now: now)
            }
        }
    }

    /// What the victim's program and driver do meanwhile.
    private mutating func attend(_ step: Int) throws {
        let pauses: [Int64] = [1, 10, 100, 1_000, 20_000]
        let pause = attack.below(500) == 0 ? 2_000_000 : pauses[attack.below(pauses.count)]
        pair.now = pair.now + .microseconds(pause)
        if attack.below(3) == 0 { try settle() }
        guard attack.below(4) == 0 else { return }
        let now = pair.now
        let sink = sink
        let choice = attack.below(12)
        let pick = UInt64(attack.below(24))
        let data = UnsafeRawBufferPointer(rebasing: sink[..<(1 + attack.below(5_000))])
        let fresh: StreamID? = victim { connection in
            switch choice {
            case 0, 1:
                let stream = try? connection.openStream(isUnidirectional: pick % 2 == 0)
                if let stream { _ = try? connection.write(stream, data) }
                return stream
            case 2, 3: _ = try? connection.write(StreamID(rawValue: pick), data)
            case 4: try? connection.finish(StreamID(rawValue: pick))
            case 5: try? connection.reset(StreamID(rawValue: pick), code: pick)
            case 6: try? connection.stop(StreamID(rawValue: pick), code: pick)
            case 7, 8:
                _ = try? connection.sendMessage(
                    data, options: MessageOptions(deadline: now + .milliseconds(50)), now: now)
            default:
                while connection.acceptStream() != nil {}
                while let event = connection.pollEvent() {
                    guard case .streamReadable(let stream) = event else { continue }
                    _ = try? connection.read(stream, into: sink)
                }
                while connection.receiveMessage() != nil {}
            }
            return nil
        }
        if let fresh, fresh.isUnidirectional { opened.unidirectional += 1 }
        if let fresh, !fresh.isUnidirectional { opened.bidirectional += 1 }
    }

    /// Timers and packets, as a driver does: neither may continue endlessly.
    private mutating func settle() throws {
        let (now, sink) = (pair.now, sink)
        for _ in 0..<200 {
            var sent = 0
            let due = victim { connection in
                if connection.pollTimeout(now: now) <= now { connection.handleTimeout(now: now) }
                while sent < 5_000, connection.pollTransmit(into: sink, now: now) != nil {
                    sent += 1
                }
                connection.drainRecords { _ in }
                return connection.pollTimeout(now: now)
            }
            guard sent < 5_000 else { throw fault("sends without end") }
            if due > now { return }
        }
        throw fault("asks for its timer again and again")
    }
}
