internal import PathNetwork
internal import PathTelemetry
internal import Pathwise

/// Moves bytes between a TCP socket and a stream, both ways, until both ends have ended.
///
/// The stream's end becomes the socket's (FIN) and the other way round. It holds bytes only while
/// the side that takes them is full, `FlowLoop.pieceLength` each way at most, and reads no more
/// then, so that the sender is stopped by its own window.
struct Pump: ~Copyable {
    /// How a turn ended.
    enum State: Equatable {
        /// Nothing can be done until something happens.
        case waiting
        /// More can be done at once; it is the turn of others.
        case busy
        /// The allowance is used up for a moment.
        case paused
        /// Both directions have ended in order.
        case done
        /// A side broke its half, or the allowance is used up for good.
        case broken
    }

    /// Bytes that one turn moves in one direction before it is the turn of other flows.
    private static let turnLength = 4 * FlowLoop.pieceLength

    private let socket: TCPSocket
    private let stream: SessionStream
    private let record: FlowRecord
    private let allowance: Allowance?

    /// From the socket, not yet taken by the stream.
    private var outgoing: [UInt8] = []
    /// From the stream, not yet taken by the socket.
    private var incoming: [UInt8] = []
    /// Bytes to send that are not counted as payload; they come first.
    private var overhead = 0
    /// Whether the socket may have bytes, and take bytes.
    private var mayRead = true
    private var mayWrite = true
    private var hasReadEnd = false
    private var hasSentEnd = false
    private var hasReceivedEnd = false
    private var hasWrittenEnd = false
    /// What the stream took at the last look.
    private var room = 0

    init(
        socket: consuming TCPSocket, stream: SessionStream, record: FlowRecord,
        allowance: Allowance?
    ) {
        self.socket = socket
        self.stream = stream
        self.record = record
        self.allowance = allowance
    }

    /// Notes that the socket may have or take bytes.
    mutating func note(readable: Bool, writable: Bool) {
        if readable { mayRead = true }
        if writable { mayWrite = true }
    }

    /// Bytes for the socket before those of the stream that are still to be read.
    mutating func prepend(_ bytes: some Sequence<UInt8>) { incoming += bytes }

    /// Bytes for the stream before those of the socket that are still to be read.
    mutating func send(_ bytes: [UInt8], isPayload: Bool = true) {
        outgoing += bytes
        if !isPayload { overhead += bytes.count }
    }

    /// Whether the socket reports an error, which ends the flow.
    var isSocketBroken: Bool { socket.pendingError != nil }

    /// Breaks the connection of the socket, with the end of this value.
    func breakSocket() { socket.resetOnClose() }

    /// Ends the work of this value and returns the socket.
    consuming func endPumping() -> TCPSocket { socket }

    /// Moves what can be moved in both directions.
    mutating func run(_ scratch: UnsafeMutableRawBufferPointer, now: Instant) -> State {
        let up = runUp(scratch, now: now)
        let down = up == .broken ? .broken : runDown(scratch, now: now)
        return Pump.joined(up, down)
    }

    private static func joined(_ up: State, _ down: State) -> State {
        if up == .broken || down == .broken { return .broken }
        if up == .busy || down == .busy { return .busy }
        if up == .paused || down == .paused { return .paused }
        return up == .done && down == .done ? .done : .waiting
    }

    // MARK: from the socket to the stream

    /// Moves what can be moved into the stream.
    mutating func runUp(_ scratch: UnsafeMutableRawBufferPointer, now: Instant) -> State {
        var left = Pump.turnLength
        while !hasSentEnd {
            if !outgoing.isEmpty {
                guard offerRest() else { return .broken }
                if !outgoing.isEmpty { return .waiting }
            }
            if hasReadEnd {
                guard (try? stream.finish()) != nil else { return .broken }
                hasSentEnd = true
                break
            }
            guard mayRead else { return .waiting }
            guard left > 0 else { return .busy }
            if room == 0 {
                guard let free = stream.availableRoom() else { return .broken }
                room = free
                if free == 0 { return .waiting }
            }
            var most = min(scratch.count, room)
            if let allowance {
                most = allowance.grant(most, now: now)
                if most == 0 { return allowance.isExhausted ? .broken : .paused }
            }
            switch socket.read(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<most])) {
            case .bytes(let count):
                allowance?.spend(count)
                left -= count
                let piece = UnsafeRawBufferPointer(rebasing: scratch[..<count])
                guard offer(piece) else { return .broken }
            case .end: hasReadEnd = true
            case .wouldBlock: mayRead = false
            case .failed: return .broken
            }
        }
        return .done
    }

    private mutating func count(sent bytes: Int) {
        let payload = max(0, bytes - overhead)
        overhead -= bytes - payload
        record.countSent(payload)
    }

    private mutating func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let (taken, room) = stream.writeAvailable(bytes) else { return false }
        count(sent: taken)
        self.room = room
        if taken < bytes.count { outgoing += bytes[taken...] }
        return true
    }

    private mutating func offerRest() -> Bool {
        let result = outgoing.withUnsafeBytes { stream.writeAvailable($0) }
        guard let (taken, room) = result else { return false }
        count(sent: taken)
        self.room = room
        outgoing = taken == outgoing.count ? [] : Array(outgoing[taken...])
        return true
    }

    // MARK: from the stream to the socket

    private mutating func runDown(
        _ scratch: UnsafeMutableRawBufferPointer, now: Instant
    ) -> State {
        var left = Pump.turnLength
        while !hasWrittenEnd {
            if !incoming.isEmpty {
                guard mayWrite else { return .waiting }
                guard writeRest() else { return .broken }
                if !incoming.isEmpty { return .waiting }
            }
            if hasReceivedEnd {
                socket.finish()
                hasWrittenEnd = true
                break
            }
            guard mayWrite else { return .waiting }
            guard left > 0 else { return .busy }
            var most = scratch.count
            if let allowance {
                most = allowance.grant(most, now: now)
                if most == 0 { return allowance.isExhausted ? .broken : .paused }
            }
            let space = UnsafeMutableRawBufferPointer(rebasing: scratch[..<most])
            switch stream.readAvailable(into: space) {
            case .bytes(let count):
                allowance?.spend(count)
                record.countReceived(count)
                left -= count
                guard write(UnsafeRawBufferPointer(rebasing: scratch[..<count])) else {
                    return .broken
                }
            case .nothing: return .waiting
            case .end: hasReceivedEnd = true
            case .broken: return .broken
            }
        }
        return .done
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch socket.write(bytes) {
        case .bytes(let count):
            if count < bytes.count {
                mayWrite = false
                incoming = Array(bytes[count...])
            }
            return true
        case .wouldBlock:
            mayWrite = false
            incoming = Array(bytes)
            return true
        case .end, .failed: return false
        }
    }

    private mutating func writeRest() -> Bool {
        switch incoming.withUnsafeBytes({ socket.write($0) }) {
        case .bytes(let count):
            if count < incoming.count { mayWrite = false }
            incoming = count == incoming.count ? [] : Array(incoming[count...])
            return true
        case .wouldBlock:
            mayWrite = false
            return true
        case .end, .failed: return false
        }
    }
}
