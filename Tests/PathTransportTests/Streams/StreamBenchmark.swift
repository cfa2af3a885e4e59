import Glibc
import PathTelemetry

@testable import PathTransport

/// The cost of a 1400-byte packet in the stream layer, without sockets and encryption.
///
/// The cost of the copies alone (write, copy into the packet, store, read: four of them) is
/// measured beside it over the same buffers, so that the difference is the bookkeeping.
enum StreamBenchmark {
    static let packetBytes = 1400

    struct Result {
        /// Nanoseconds per packet for everything, and for only the copies.
        var total: Double
        var copies: Double
        var bookkeeping: Double { total - copies }
    }

    /// - Parameters:
    ///   - reordering: packets in a block that is delivered and acknowledged backwards; 1 keeps
    ///     the order.
    ///   - lossEvery: one packet in this many is lost once; 0 for none.
    static func run(packets: Int, reordering: Int = 1, lossEvery: Int = 0) throws(StreamError)
        -> Result
    {
        var configuration = StreamConfiguration()
        configuration.streamWindow = 16 << 20
        configuration.connectionWindow = 32 << 20
        var sender = StreamTable(isServer: false, configuration: configuration)
        var receiver = StreamTable(isServer: true, configuration: configuration)
        sender.handlePeerLimits(
            PeerStreamLimits(
                maxData: configuration.connectionWindow, maxStreamData: configuration.streamWindow,
                maxBidirectional: 10, maxUnidirectional: 10))
        let id = try sender.open()
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 64)
        let packet = UnsafeMutableRawBufferPointer.allocate(
            byteCount: packetBytes * 64, alignment: 64)
        defer {
            source.deallocate()
            packet.deallocate()
        }
        source.initializeMemory(as: UInt8.self, repeating: 7)
        packet.initializeMemory(as: UInt8.self, repeating: 0)

        var frames: [StreamFrame] = []
        frames.reserveCapacity(64)
        var done = 0
        var sent = 0
        let start = clock()
        while done < packets {
            _ = try sender.write(id, UnsafeRawBufferPointer(source))
            frames.removeAll(keepingCapacity: true)
            while frames.count < 64, let frame = sender.nextChunk(limit: packetBytes) {
                let room = UnsafeMutableRawBufferPointer(
                    rebasing: packet[(frames.count * packetBytes)...])
                guard sender.copy(frame, into: room) else { break }
                frames.append(frame)
            }
            var at = 0
            while at < frames.count {
                let block = min(reordering, frames.count - at)
                for index in (at..<at + block).reversed() {
                    let frame = frames[index]
                    sent += 1
                    if lossEvery > 0, sent % lossEvery == 0 {
                        sender.handleLost(frame)
                        continue
                    }
                    let from = index * packetBytes
                    let data = UnsafeRawBufferPointer(
                        rebasing: packet[from..<from + frame.chunk.length])
                    try receiver.handleStream(
                        frame.id, offset: frame.chunk.offset, data: data,
                        isFinal: frame.chunk.isFinal)
                    sender.handleAcked(frame)
                    done += 1
                }
                at += block
            }
            while try receiver.read(id, into: source).count > 0 {}
            while receiver.nextEvent() != nil {}
            while let control = receiver.nextControl(now: .zero, rtt: .milliseconds(1)) {
                switch control {
                case .maxData(let limit): sender.handleMaxData(limit)
                case .maxStreamData(let id, let limit): try sender.handleMaxStreamData(id, limit)
                default: break
                }
            }
        }
        let total = Double(clock() - start) / Double(CLOCKS_PER_SEC) * 1e9 / Double(done)
        return Result(total: total, copies: copies(packets: done, source, packet))
    }

    /// Four copies a packet through rings of the sizes that a run uses.
    private static func copies(
        packets: Int, _ source: UnsafeMutableRawBufferPointer,
        _ packet: UnsafeMutableRawBufferPointer
    ) -> Double {
        var rings =
            [ByteRing(maximumCapacity: 131_072), ByteRing(maximumCapacity: 131_072)]
            as [2 of ByteRing]
        rings[0].reserve(131_072, keeping: 0..<0)
        rings[1].reserve(131_072, keeping: 0..<0)
        let start = clock()
        var offset: UInt64 = 0
        for index in 0..<packets {
            let at = index % 46 * packetBytes
            let from = UnsafeMutableRawBufferPointer(rebasing: source[at..<at + packetBytes])
            let room = UnsafeMutableRawBufferPointer(rebasing: packet[at..<at + packetBytes])
            rings[0].store(UnsafeRawBufferPointer(from), at: offset)
            rings[0].load(from: offset, into: room)
            rings[1].store(UnsafeRawBufferPointer(room), at: offset)
            rings[1].load(from: offset, into: from)
            offset &+= UInt64(packetBytes)
        }
        return Double(clock() - start) / Double(CLOCKS_PER_SEC) * 1e9 / Double(packets)
    }
}
