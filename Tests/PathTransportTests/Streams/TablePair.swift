import Glibc

@testable import PathTelemetry
@testable import PathTransport

/// Two stream tables joined by a network that loses, repeats and reorders, all by one seed.
struct TablePair: ~Copyable {
    enum Frame {
        case stream(StreamFrame, [UInt8])
        case control(StreamControl)
    }
    struct Packet {
        var frame: Frame
        var copies: Int
    }

    var client: StreamTable
    var server: StreamTable
    var lossRate: Double
    var random: SeededGenerator
    var now = Instant.zero
    /// Packets on their way, and what arrived but is not acknowledged yet; by sender.
    private var toServer: [Packet] = []
    private var toClient: [Packet] = []
    private var ofClient: [Frame] = []
    private var ofServer: [Frame] = []
    private(set) var failure: String?

    init(seed: UInt64, configuration: StreamConfiguration, lossRate: Double = 0) {
        random = SeededGenerator(seed: seed)
        self.lossRate = lossRate
        client = StreamTable(isServer: false, configuration: configuration)
        server = StreamTable(isServer: true, configuration: configuration)
        let limits = PeerStreamLimits(
            maxData: configuration.connectionWindow, maxStreamData: configuration.streamWindow,
            maxBidirectional: configuration.maximumBidirectional,
            maxUnidirectional: configuration.maximumUnidirectional)
        client.handlePeerLimits(limits)
        server.handlePeerLimits(limits)
    }

    var isQuiet: Bool {
        toServer.isEmpty && toClient.isEmpty && ofClient.isEmpty && ofServer.isEmpty
    }

    /// One round: both send a few frames, some of what is on its way arrives, some is answered.
    mutating func step() {
        now += .milliseconds(1)
        TablePair.send(
            from: &client, onto: &toServer, lossRate: lossRate, now: now, random: &random)
        TablePair.send(
            from: &server, onto: &toClient, lossRate: lossRate, now: now, random: &random)
        failure =
            failure
            ?? TablePair.deliver(&toServer, to: &server, answers: &ofClient, random: &random)
            ?? TablePair.deliver(&toClient, to: &client, answers: &ofServer, random: &random)
        TablePair.acknowledge(&ofClient, to: &client, random: &random)
        TablePair.acknowledge(&ofServer, to: &server, random: &random)
    }

    private static func send(
        from table: inout StreamTable, onto network: inout [Packet], lossRate: Double, now: Instant,
        random: inout SeededGenerator
    ) {
        for _ in 0..<Int.random(in: 0..<6, using: &random) {
            let frame: Frame
            if let control = table.nextControl(now: now, rtt: .milliseconds(10)) {
                frame = .control(control)
            } else if let next = table.nextChunk(limit: Int.random(in: 1..<1500, using: &random)) {
                var bytes = [UInt8](repeating: 0, count: next.chunk.length)
                guard bytes.withUnsafeMutableBytes({ table.copy(next, into: $0) }) else { continue }
                frame = .stream(next, bytes)
            } else {
                return
            }
            if random.uniform() < lossRate {
                lose(frame, of: &table)
            } else {
                let copies = Int.random(in: 0..<8, using: &random) == 0 ? 2 : 1
                network.append(Packet(frame: frame, copies: copies))
            }
        }
    }

    private static func lose(_ frame: Frame, of table: inout StreamTable) {
        switch frame {
        case .stream(let frame, _): table.handleLost(frame)
        case .control(let control): table.handleControlLost(control)
        }
    }

    private static func deliver(
        _ network: inout [Packet], to table: inout StreamTable, answers: inout [Frame],
        random: inout SeededGenerator
    ) -> String? {
        for _ in 0..<Int.random(in: 0..<6, using: &random) where !network.isEmpty {
            let index = Int.random(in: 0..<min(network.count, 6), using: &random)
            network[index].copies -= 1
            let packet = network[index]
            if packet.copies <= 0 { network.remove(at: index) }
            do {
                try accept(packet.frame, by: &table)
            } catch {
                return "\(error)"
            }
            answers.append(packet.frame)
        }
        return nil
    }

    static func accept(_ frame: Frame, by table: inout StreamTable) throws(StreamError) {
        switch frame {
        case .stream(let frame, let bytes):
            try bytes.span.withUnsafeBytes { data throws(StreamError) in
                _ = try table.handleStream(
                    frame.id, offset: frame.chunk.offset, data: data, isFinal: frame.chunk.isFinal)
            }
        case .control(.maxData(let limit)): table.handleMaxData(limit)
        case .control(.maxStreamData(let id, let limit)):
            try table.handleMaxStreamData(id, limit)
        case .control(.maxStreams(let limit, let isUnidirectional)):
            table.handleMaxStreams(limit, isUnidirectional: isUnidirectional)
        case .control(.reset(let id, let reset)): try table.handleReset(id, reset)
        case .control(.stopSending(let id, let code)):
            try table.handleStopSending(id, code: code)
        case .control(.dataBlocked), .control(.streamDataBlocked), .control(.streamsBlocked):
            break
        }
    }

    private static func acknowledge(
        _ frames: inout [Frame], to table: inout StreamTable, random: inout SeededGenerator
    ) {
        for _ in 0..<Int.random(in: 0..<6, using: &random) where !frames.isEmpty {
            let frame = frames.remove(at: Int.random(in: 0..<frames.count, using: &random))
            if Int.random(in: 0..<10, using: &random) == 0 {
                lose(frame, of: &table)  // The answer was lost.
                continue
            }
            switch frame {
            case .stream(let frame, _): table.handleAcked(frame)
            case .control(let control): table.handleControlAcked(control)
            }
        }
    }
}

extension StreamTable {
    /// Writes the test bytes from an offset on.
    mutating func writeTestBytes(_ id: StreamID, from offset: Int, count: Int) throws -> Int {
        let bytes = Array(testBytes[offset..<offset + count])
        return try bytes.span.withUnsafeBytes { data throws(StreamError) in try write(id, data) }
    }

    /// Reads up to `count` bytes; nil bytes where the stream is wrong.
    mutating func readBytes(_ id: StreamID, _ count: Int) throws -> (
        bytes: [UInt8], isFinished: Bool
    ) {
        var bytes = [UInt8](repeating: 0, count: count)
        var result = (count: 0, isFinished: false)
        var span = bytes.mutableSpan
        try span.withUnsafeMutableBytes { data throws(StreamError) in
            result = try read(id, into: data)
        }
        return (Array(bytes[..<result.count]), result.isFinished)
    }
}
