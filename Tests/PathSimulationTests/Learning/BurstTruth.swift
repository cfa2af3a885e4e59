import PathLearning
@testable import PathSimulation
import PathTelemetry

@testable import PathTransport

/// Messages and a stream at a moderate pace, with an independent record of every decision's
/// outcome, from the arriving datagrams and the sender's record of their content.
struct BurstTruth: WorldApplication {
    /// The bytes of a stream or message, by its kind and number.
    struct PieceKey: Hashable {
        private let kind: Int
        private let number: UInt64

        init?(_ frame: SentFrame) {
            switch frame {
            case .stream(let piece): (kind, number) = (0, piece.id.rawValue)
            case .message(let chunk): (kind, number) = (1, chunk.number)
            default: return nil
            }
        }
    }

    private static func range(_ frame: SentFrame) -> Range<UInt64> {
        switch frame {
        case .stream(let piece):
            let lower = piece.chunk.offset
            return lower..<lower + UInt64(max(0, piece.chunk.length))
        case .message(let chunk):
            return UInt64(
                max(0, chunk.offset))..<UInt64(
                    max(0, chunk.offset) + max(1, chunk.length))
        default: return 0..<0
        }
    }

    /// One datagram as it left.
    private struct Sent {
        var decision: UInt64
        var pieces: [(key: PieceKey, range: Range<UInt64>)]
        var bytes: Int
    }

    /// A range of bytes that a decision sent.
    private struct Owner {
        var range: Range<UInt64>
        var decision: UInt64
        /// The highest end of this range and those that begin before it: a copy that was cut
        /// elsewhere may end before the one that it begins with.
        var reach: UInt64

        init(_ range: Range<UInt64>, _ decision: UInt64) {
            self.range = range
            self.decision = decision
            reach = range.upperBound
        }
    }

    /// Bytes of one decision, and when each range of them first arrived.
    struct Burst {
        var pieces: [(key: PieceKey, range: Range<UInt64>)] = []
        var bytes = PathBytes()
    }

    let deadline: TimeDelta
    let messageInterval: TimeDelta
    let messageSize: Int
    let hasStream: Bool
    let end: TimeDelta
    private(set) var decisions: [UInt64: DecisionRecord] = [:]
    private(set) var outcomes: [UInt64: Outcome] = [:]
    private(set) var isClosed = false
    /// By path and packet number.
    private var sent: [[UInt64: Sent]] = Array(repeating: [:], count: 4)
    private var seen: [UInt64] = [0, 0, 0, 0]
    private var arrivals: [(at: Instant, path: Int, number: UInt64)] = []
    private(set) var bursts: [UInt64: Burst] = [:]
    /// Bytes of all datagrams that carried data of the application, by path.
    private(set) var dataBytes = [0, 0, 0, 0]
    /// The sender's error of the clock offset, from a time on.
    private(set) var clockErrors: [(at: Instant, error: TimeDelta)] = []
    private var serverOrigin: Instant?
    private var nextAt: Instant?
    private var lookedAt = Instant.zero
    private var stream: StreamID?
    private var buffer = [UInt8](repeating: 3, count: 65_536)
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    init(
        deadline: TimeDelta, messageInterval: TimeDelta, messageSize: Int, hasStream: Bool,
        seconds: Int64
    ) {
        self.deadline = deadline
        self.messageInterval = messageInterval
        self.messageSize = messageSize
        self.hasStream = hasStream
        end = .seconds(seconds)
    }

    /// Each millisecond, to see every packet before its acknowledgement arrives.
    var nextWake: Instant { min(nextAt ?? .distantFuture, lookedAt + .milliseconds(1)) }
    var isDone: Bool { isClosed }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while let event = connection.pollEvent() {
            if case .closed = event { isClosed = true }
        }
        lookedAt = now
        note(connection)
        if let origin = serverOrigin {
            // A receiver's stamp counts from when its connection was made, on its own clock.
            let distance = TimeDelta.seconds(1234) - (origin - .zero)
            let far = TimeDelta.seconds(100_000)
            let estimate = far - TimeDelta(seconds: connection.session.clock.delay(ofRaw: far))
            clockErrors.append((now, (estimate - distance).magnitude))
        }
        connection.drainRecords { record in
            switch record {
            case .decision(let made): decisions[made.number] = made
            case .outcome(let outcome): outcomes[outcome.decision] = outcome
            default: break
            }
        }
        guard connection.isEstablished else { return }
        if hasStream {
            if stream == nil { stream = try? connection.openStream() }
            if let stream {
                while buffer.withUnsafeBytes({ (try? connection.write(stream, $0)) ?? 0 })
                    == buffer.count
                {}
            }
        }
        var due = nextAt ?? start + .milliseconds(1000)
        while due <= now, now - start < end {
            _ = try? buffer[..<messageSize].withUnsafeBytes {
                try connection.sendMessage(
                    $0, options: MessageOptions(deadline: now + deadline), now: now)
            }
            due += messageInterval
        }
        nextAt = now - start < end ? due : .distantFuture
    }

    /// Looks at the packets that have left since.
    private mutating func note(_ connection: borrowing Connection) {
        for index in connection.paths.indices {
            let path = connection.paths[index].id
            let next = connection.paths[index].recovery.packets.next
            let first = max(seen[path.index], connection.paths[index].recovery.packets.first)
            guard first < next else { continue }
            for number in first..<next {
                let packet = connection.paths[index].recovery.packets[number]
                var pieces: [(PieceKey, Range<UInt64>)] = []
                for frame in 0..<Int(packet.frameCount) {
                    if let key = PieceKey(packet.frames[frame]) {
                        pieces.append((key, BurstTruth.range(packet.frames[frame])))
                    }
                }
                // What leaves on a path that has not answered yet belongs to no decision.
                let isEarly =
                    packet.decision == SentPacket.noDecision
                    && connection.paths[index].state == .validating
                guard !pieces.isEmpty, !isEarly else { continue }
                dataBytes[path.index] += Int(packet.bytes)
                sent[path.index][number] = Sent(
                    decision: packet.decision, pieces: pieces, bytes: Int(packet.bytes))
                if packet.decision != SentPacket.noDecision {
                    bursts[packet.decision, default: Burst()].pieces += pieces
                    bursts[packet.decision, default: Burst()].bytes.add(
                        Int(packet.bytes), to: path)
                }
            }
            seen[path.index] = next
        }
    }

    mutating func inspect(
        _ datagram: UnsafeMutableRawBufferPointer, path: Int, direction: LinkDirection,
        now: Instant
    ) -> Bool {
        if direction == .forward, let header = DataHeader(UnsafeRawBufferPointer(datagram)) {
            arrivals.append((now, Int(header.path.rawValue), header.packetNumber))
        }
        return true
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        serverOrigin = connection.origin
        while let event = connection.pollEvent() {
            guard case .streamReadable(let stream) = event else { continue }
            while let result = buffer.withUnsafeMutableBytes({
                try? connection.read(stream, into: $0)
            }), result.count > 0 {}
        }
        while connection.receiveMessage() != nil {}
    }

    // MARK: the truth

    /// The largest error of the clock offset within a second after a time.
    func clockError(at time: Instant) -> TimeDelta {
        var low = 0
        var high = clockErrors.count
        while low < high {
            let middle = (low + high) / 2
            if clockErrors[middle].at < time { low = middle + 1 } else { high = middle }
        }
        var worst = TimeDelta.zero
        while low < clockErrors.count, clockErrors[low].at - time < .seconds(1) {
            worst = max(worst, clockErrors[low].error)
            low += 1
        }
        return worst
    }

    /// Whether some fragments of a message expired before they were sent, so that it cannot arrive.
    func isCut(_ decision: UInt64) -> Bool {
        guard decisions[decision]?.burst.trafficClass == .message, let burst = bursts[decision]
        else { return false }
        // Copies bring the same bytes again.
        var bytes = RangeSet()
        for piece in burst.pieces { bytes.insert(piece.range) }
        return bytes.length < UInt64(messageSize)
    }

    /// When the last byte of each decision first arrived; incomplete ones are left out.
    func arrivalTimes() -> [UInt64: Instant] {
        var owners: [PieceKey: [Owner]] = [:]
        for (decision, burst) in bursts {
            for piece in burst.pieces {
                owners[piece.key, default: []].append(Owner(piece.range, decision))
            }
        }
        for key in owners.keys {
            guard var all = owners[key] else { continue }
            all.sort { $0.range.lowerBound < $1.range.lowerBound }
            for index in all.indices.dropFirst() {
                all[index].reach = max(all[index].reach, all[index - 1].reach)
            }
            owners[key] = all
        }
        var missing: [UInt64: [PieceKey: RangeSet]] = [:]
        for (decision, burst) in bursts {
            for piece in burst.pieces {
                missing[decision, default: [:]][piece.key, default: RangeSet()].insert(piece.range)
            }
        }
        var result: [UInt64: Instant] = [:]
        for arrival in arrivals {
            guard let packet = sent[arrival.path][arrival.number] else { continue }
            for piece in packet.pieces {
                guard let all = owners[piece.key] else { continue }
                var low = 0
                var high = all.count
                while low < high {
                    let middle = (low + high) / 2
                    if all[middle].reach <= piece.range.lowerBound {
                        low = middle + 1
                    } else {
                        high = middle
                    }
                }
                while low < all.count, all[low].range.lowerBound < piece.range.upperBound {
                    let decision = all[low].decision
                    low += 1
                    guard var sets = missing[decision], var set = sets[piece.key] else { continue }
                    set.remove(piece.range)
                    sets[piece.key] = set.isEmpty ? nil : set
                    missing[decision] = sets.isEmpty ? nil : sets
                    if sets.isEmpty { result[decision] = arrival.at }
                }
            }
        }
        return result
    }
}
