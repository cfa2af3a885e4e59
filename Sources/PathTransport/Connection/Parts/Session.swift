import PathLearning
import PathTelemetry

/// What a connection carries on all paths: streams, messages, and the decisions about them.
///
/// It is told the fate of every sent packet.
struct Session: ~Copyable, SentFrameSink {
    private let pin = Pin()
    var streams: StreamTable
    var messages: MessageSender
    var receivedMessages: MessageReceiver
    /// Decides which path carries which burst, and learns from the outcomes.
    var engine: DecisionEngine
    /// What copies of messages may cost.
    var copyBudget = CopyBudget()
    /// When messages are next weighed whether another path delivers them sooner.
    var nextLateCheck = Instant.zero
    /// Messages whose copy arrived first.
    var messagesSaved: UInt64 = 0
    /// The offset of the peer's clock, estimated from all paths.
    var clock = ClockOffset()
    /// Latest moment at which stream or message data was sent or received.
    var lastDataAt: Instant?
    /// For each path, the largest packet number in an ACK frame that was acknowledged;
    /// `PathTable.takeOver` reads and clears it.
    var acknowledgedAcks: InlineArray<16, UInt64?> = InlineArray(repeating: nil)
    var hasAcknowledgedAcks = false
    /// Smoothed round trip of the fastest path, by which receive windows grow.
    var fastestRTT = TimeDelta.milliseconds(100)
    /// Frames about paths that were lost; `PathTable.takeOver` takes them.
    var lostPathFrames: [(path: PathID, kind: PathFrame.Kind)] = []

    /// What a new stream may hold at once while little lies unread, bytes.
    private static let firstStreamWindow: UInt64 = 256 << 10

    init(
        isServer: Bool, configuration: ConnectionConfiguration, selector: PathSelector, now: Instant
    ) {
        let parameters = configuration.parameters
        var streams = StreamConfiguration()
        streams.sendCapacity = configuration.streamSendCapacity
        streams.streamWindow = min(parameters.maximumStreamData, streams.maximumStreamWindow)
        streams.firstStreamWindow = Session.firstStreamWindow
        streams.connectionWindow = min(parameters.maximumData, 1 << 30)
        streams.maximumConnectionWindow = max(
            streams.maximumConnectionWindow, streams.connectionWindow)
        streams.maximumBidirectional = parameters.maximumStreams
        streams.maximumUnidirectional = parameters.maximumStreams
        self.streams = StreamTable(isServer: isServer, configuration: streams)
        messages = MessageSender()
        receivedMessages = MessageReceiver()
        engine = DecisionEngine(selector)
        engine.setJudge(DecisionJudge(configuration.judging, cost: selector.cost))
    }

    mutating func handlePeerParameters(_ peer: TransportParameters) {
        streams.handlePeerLimits(
            PeerStreamLimits(
                maxData: peer.maximumData, maxStreamData: peer.maximumStreamData,
                maxBidirectional: peer.maximumStreams, maxUnidirectional: peer.maximumStreams))
        messages.sizeLimit = min(MessageLimits.size, peer.maximumMessage)
    }

    var hasControl: Bool { streams.hasControl }

    // MARK: frames of the peer

    /// Returns false when the data cannot be kept; its packet must not be acknowledged then.
    mutating func handleStream(_ data: StreamData, now: Instant) throws(StreamError) -> Bool {
        lastDataAt = now
        do throws(StreamError) {
            try streams.handleStream(
                data.stream, offset: data.offset, data: data.data, isFinal: data.isFinal)
        } catch .tooManyRanges {
            return false
        }
        return true
    }

    /// Takes a fragment; returns nil when it cannot be kept, and its packet must not be
    /// acknowledged.
    mutating func handleMessage(
        _ data: MessageData, now: Instant
    ) throws(StreamError) -> MessageArrival? {
        lastDataAt = now
        do throws(StreamError) {
            return try receivedMessages.handle(
                number: data.number, offset: data.offset, total: data.total, data: data.data,
                lifetime: data.lifetime, now: now)
        } catch .tooManyRanges {
            return nil
        }
    }

    mutating func handleControl(_ control: StreamControl) throws(StreamError) {
        switch control {
        case .maxData(let limit): streams.handleMaxData(limit)
        case .maxStreamData(let stream, let limit):
            try streams.handleMaxStreamData(stream, limit)
        case .maxStreams(let limit, let isUnidirectional):
            streams.handleMaxStreams(limit, isUnidirectional: isUnidirectional)
        case .reset(let stream, let reset): try streams.handleReset(stream, reset)
        case .stopSending(let stream, let code):
            try streams.handleStopSending(stream, code: code)
        case .dataBlocked, .streamDataBlocked, .streamsBlocked: break
        }
    }

    // MARK: sending

    /// Writes frames about streams, as many as fit.
    mutating func appendControl(_ packet: inout PacketBuilder, now: Instant) {
        while packet.takesFrames, packet.room >= PacketBuilder.longestControl,
            let control = streams.nextControl(now: now, rtt: fastestRTT)
        {
            packet.control(control)
        }
    }

    /// The next piece of stream data that fits into `room` bytes with its header.
    mutating func nextChunk(room: Int, isRepair: Bool) -> StreamFrame? {
        isRepair ? streams.nextRetransmission(room: room) : streams.nextNew(room: room)
    }

    func write(_ frame: StreamFrame, to packet: inout PacketBuilder) {
        StreamData.writeHeader(frame, to: &packet.writer)
        if let target = packet.writer.claim(frame.chunk.length) {
            // Bytes that were acknowledged meanwhile are freed, and nobody needs them.
            _ = streams.copy(
                frame, into: UnsafeMutableRawBufferPointer(start: target, count: frame.chunk.length)
            )
        }
        packet.remember(.stream(frame))
    }

    func write(_ chunk: MessageChunk, to packet: inout PacketBuilder, now: Instant) {
        MessageData.writeHeader(chunk, now: now, to: &packet.writer)
        if let target = packet.writer.claim(chunk.length) {
            _ = messages.copy(
                chunk, into: UnsafeMutableRawBufferPointer(start: target, count: chunk.length))
        }
        packet.remember(.message(chunk))
    }

    /// Writes the unacknowledged part of a copy into a packet and returns its length; nil when
    /// nothing is left or it does not fit.
    mutating func write(copy: SentFrame, to packet: inout PacketBuilder, now: Instant) -> Int? {
        switch copy {
        case .stream(let piece):
            guard let frame = streams.unacknowledged(piece),
                packet.room >= StreamData.headerLength(frame) + frame.chunk.length
            else { return nil }
            write(frame, to: &packet)
            return frame.chunk.length
        case .message(let chunk):
            guard messages.isOutstanding(chunk.number),
                packet.room >= MessageData.maximumHeaderLength + chunk.length
            else { return nil }
            write(chunk, to: &packet, now: now)
            return chunk.length
        default: return nil
        }
    }

    // MARK: the fate of packets

    mutating func handleAcknowledged(
        _ packet: SentPacket, path: PathID, receiveTime: UInt64?, now: Instant
    ) {
        for index in 0..<Int(packet.frameCount) {
            switch packet.frames[index] {
            case .stream(let frame): streams.handleAcked(frame)
            case .message(let chunk):
                let isDelivered = messages.handleAcked(
                    number: chunk.number, offset: chunk.offset, length: chunk.length)
                if isDelivered, chunk.isCopy { messagesSaved &+= 1 }
            case .control(let control): streams.handleControlAcked(control)
            case .ack(let acked, let largest):
                acknowledgedAcks[acked.index] = max(acknowledgedAcks[acked.index] ?? 0, largest)
                hasAcknowledgedAcks = true
            case .none, .path: break
            }
        }
        let isFollowed = packet.decision != SentPacket.noDecision && !packet.isByBytes
        guard isFollowed || engine.followsBytes else { return }
        var arrival = now
        if let receiveTime, clock.estimate != nil {
            let received = Instant(nanoseconds: Int64(truncatingIfNeeded: receiveTime &* 1000))
            let raw = received - packet.sentAt
            if !clock.isContradicted(byRaw: raw, rtt: now - packet.sentAt) {
                arrival = min(now, packet.sentAt + TimeDelta(seconds: clock.delay(ofRaw: raw)))
            }
        }
        if isFollowed {
            engine.handleAcknowledged(packet.decision, arrival: arrival, now: now)
        } else {
            for index in 0..<Int(packet.frameCount) {
                guard let piece = packet.frames[index].piece else { continue }
                engine.handleArrived(piece, arrival: arrival, now: now)
            }
        }
    }

    mutating func handleLost(_ packet: SentPacket, path: PathID, isCertain: Bool, now: Instant) {
        if packet.decision != SentPacket.noDecision {
            if isCertain { engine.handleLost(packet.decision) }
            if !packet.isByBytes { engine.handleMoved(packet.decision, packet.pieces.span) }
        }
        // Its data was already queued on other paths.
        if isCertain, packet.isReinjected { return }
        for index in 0..<Int(packet.frameCount) {
            switch packet.frames[index] {
            case .stream(let frame): streams.handleLost(frame)
            case .message(let chunk):
                messages.handleLost(
                    number: chunk.number, offset: chunk.offset, length: chunk.length)
            case .control(let control): streams.handleControlLost(control)
            case .path(let path, let kind): lostPathFrames.append((path, kind))
            case .none, .ack: break
            }
        }
    }

    // MARK: copies

    /// Whether a packet's messages may be sent on another path too, which delivers them by `arrival`,
    /// and have paid for it.
    ///
    /// - Parameter isFree: the path seems to be lost, so that its data has to be moved.
    mutating func takesCopy(of packet: SentPacket, arriving arrival: Instant, isFree: Bool) -> Bool
    {
        var bytes = 0
        for index in 0..<Int(packet.frameCount) {
            guard case .message(let chunk) = packet.frames[index] else { continue }
            guard chunk.deadline > arrival, messages.isMissing(chunk) else { return false }
            bytes += chunk.length
        }
        return bytes > 0 && (isFree || copyBudget.spend(bytes: bytes))
    }

    /// Queues the messages of a packet for another path, and keeps the packet in flight.
    mutating func handleLate(_ packet: SentPacket) {
        if packet.decision != SentPacket.noDecision, !packet.isByBytes {
            engine.handleMoved(packet.decision, packet.pieces.span)
        }
        for index in 0..<Int(packet.frameCount) {
            if case .message(let chunk) = packet.frames[index] { messages.handleLate(chunk) }
        }
    }
}
