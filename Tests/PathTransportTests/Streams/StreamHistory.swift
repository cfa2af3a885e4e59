import Glibc

@testable import PathTelemetry
@testable import PathTransport

/// The bytes of every test stream: no two places look alike, so any misplaced byte is seen.
let testBytes: [UInt8] = {
    var random = SeededGenerator(seed: 1)
    return (0..<65_536).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}()

/// The byte that a test stream has at an offset.
func testByte(_ offset: UInt64) -> UInt8 { testBytes[Int(offset)] }

/// One random history of a stream: writes, chunks, losses, duplicates, reordering, acknowledgements
/// more than once, re-injection, and reads, with both ends' real code and a model of the bytes.
struct StreamHistory: ~Copyable {
    private struct Packet {
        var chunk: StreamChunk
        var bytes: [UInt8]
    }

    var sender: SendStream
    var receiver: ReceiveStream
    let size: UInt64
    let window: UInt64
    let lossRate: Double
    private var random: SeededGenerator
    private var toReceiver: [Packet] = []
    private var toSender: [StreamChunk] = []
    private var read: UInt64 = 0
    private var now = Instant.zero
    /// The first failure, if there was one.
    private(set) var failure: String?
    private(set) var steps = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        size = seed % 17 == 0 ? 0 : UInt64.random(in: 1..<25_000, using: &random)
        let capacity = Int.random(in: 500..<20_000, using: &random)
        window = UInt64.random(in: 800..<10_000, using: &random)
        lossRate = [0, 0.05, 0.3, 0.6][Int(seed % 4)]
        sender = SendStream(capacity: capacity, maxData: window)
        receiver = ReceiveStream(window: window, maximumWindow: window * 4)
    }

    /// Runs until the receiver has read all and the sender knows it.
    mutating func run() {
        while failure == nil, !(receiver.isFinished && sender.isFullyAcknowledged) {
            steps += 1
            now += .milliseconds(1)
            if steps > 200_000 {
                failure = "no end: read \(read) of \(size)"
                return
            }
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1: write()
            case 2...4: send()
            case 5...7: deliver()
            case 8, 9: acknowledge()
            case 10: readSome()
            default: reinject()
            }
            if sender.bufferedBytes > sender.capacity { failure = "sender holds too much" }
            if receiver.highestOffset - receiver.readOffset > receiver.windowSize {
                failure = "receiver holds more than its window"
            }
            if toReceiver.isEmpty, toSender.isEmpty, !sender.hasRetransmissions,
                !sender.hasNew, receiver.isFinished, !sender.isFullyAcknowledged
            {
                failure = "the sender does not know that all arrived"
            }
        }
        if failure == nil, read != size { failure = "read \(read) bytes of \(size)" }
    }

    private mutating func write() {
        let left = size - sender.writtenOffset
        let count = Int(min(left, UInt64.random(in: 0..<4000, using: &random)))
        let first = sender.writtenOffset
        let bytes = Array(testBytes[Int(first)..<Int(first) + count])
        let room = sender.writableBytes()
        let accepted = bytes.withUnsafeBytes { sender.write($0) }
        if accepted != min(room, count) { failure = "write took \(accepted) of \(count)" }
        if sender.writtenOffset == size, Bool.random(using: &random) { sender.finish() }
    }

    private mutating func send() {
        let limit = Int.random(in: 1..<2000, using: &random)
        guard let chunk = sender.nextChunk(limit: limit) else { return }
        if chunk.length > limit { failure = "chunk of \(chunk.length) above \(limit)" }
        var bytes = [UInt8](repeating: 0, count: chunk.length)
        let copied = bytes.withUnsafeMutableBytes { sender.copy(chunk, into: $0) }
        if !copied { failure = "a chunk just handed out cannot be copied" }
        if random.uniform() < lossRate {
            sender.handleLost(offset: chunk.offset, length: chunk.length, isFinal: chunk.isFinal)
            if Bool.random(using: &random) {  // Declared lost, and yet it arrives.
                toReceiver.append(Packet(chunk: chunk, bytes: bytes))
            }
            return
        }
        toReceiver.append(Packet(chunk: chunk, bytes: bytes))
    }

    private mutating func deliver() {
        guard !toReceiver.isEmpty else { return }
        let index = Int.random(in: 0..<min(toReceiver.count, 8), using: &random)
        let packet = toReceiver[index]
        if random.uniform() > 0.1 { toReceiver.remove(at: index) }
        let before = receiver.highestOffset
        do {
            let progress = try packet.bytes.span.withUnsafeBytes { bytes throws(StreamError) in
                try receiver.handle(
                    offset: packet.chunk.offset, data: bytes, isFinal: packet.chunk.isFinal)
            }
            if progress.growth != receiver.highestOffset - before { failure = "wrong growth" }
        } catch {
            failure = "\(error)"
        }
        for _ in 0..<Int.random(in: 1..<3, using: &random) { toSender.append(packet.chunk) }
    }

    private mutating func acknowledge() {
        guard !toSender.isEmpty else { return }
        let chunk = toSender.remove(at: Int.random(in: 0..<toSender.count, using: &random))
        if random.uniform() < lossRate / 2 {  // The acknowledgement is lost: a spurious loss.
            sender.handleLost(offset: chunk.offset, length: chunk.length, isFinal: chunk.isFinal)
            return
        }
        sender.handleAcked(offset: chunk.offset, length: chunk.length, isFinal: chunk.isFinal)
    }

    private mutating func readSome() {
        var buffer = [UInt8](repeating: 0, count: Int.random(in: 1..<6000, using: &random))
        let count = buffer.withUnsafeMutableBytes { receiver.read(into: $0) }
        let expected = Array(testBytes[Int(read)..<Int(read) + count])
        if memcmp(buffer, expected, count) != 0 {
            failure = "wrong bytes in \(count) from \(read) on"
            return
        }
        read += UInt64(count)
        if let limit = receiver.windowUpdate(now: now, rtt: .milliseconds(20)) {
            sender.handleMaxData(limit)
        }
    }

    /// Re-injects a chunk that is still in flight, as for a path that seems dead.
    private mutating func reinject() {
        guard let packet = toReceiver.randomElement(using: &random),
            let rest = sender.unacknowledged(packet.chunk)
        else { return }
        if Bool.random(using: &random) {
            sender.handleLost(offset: rest.offset, length: rest.length, isFinal: rest.isFinal)
        } else {
            var bytes = [UInt8](repeating: 0, count: rest.length)
            if !bytes.withUnsafeMutableBytes({ sender.copy(rest, into: $0) }) {
                failure = "the unacknowledged part cannot be copied"
            }
            toReceiver.append(Packet(chunk: rest, bytes: bytes))
        }
    }
}
