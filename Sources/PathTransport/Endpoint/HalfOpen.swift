import PathTelemetry

/// A client whose first message was valid and that has not used its keys yet.
///
/// It is all that a server keeps of such a client: secrets, addresses and the answer, about a
/// kilobyte. The connection is made when the first data packet is decrypted; that proves the
/// client's keys and, unless the answer went to several addresses, its address.
final class HalfOpen {
    /// A client answers within a round trip; after this it is forgotten.
    static let lifetime = TimeDelta.seconds(5)
    /// Younger entries are never dropped for new clients.
    static let protectedAge = TimeDelta.seconds(1)
    /// Time after which the answer is taken for lost when the client asks from another address;
    /// below the interval of its attempts.
    static let answerTime = TimeDelta.milliseconds(150)

    let accepted: AcceptedInitiation
    /// Tells the client's first message from all others, to recognise its repetition.
    let identity: InitiationIdentity
    let response: [UInt8]
    let startedAt: Instant
    /// Whether the answer went to one address alone.
    private(set) var hasOneAddress = true
    private var cipher: PacketCipher?

    init(
        _ accepted: AcceptedInitiation, identity: InitiationIdentity, response: [UInt8],
        now: Instant
    ) {
        self.accepted = accepted
        self.identity = identity
        self.response = response
        startedAt = now
    }

    /// Notes that the first message came again from `remote`; returns whether that gets the answer.
    ///
    /// A client sends its message over all paths at once. When two addresses have the answer, using
    /// the keys proves neither, so a second one gets it only if the first seems not to have it.
    func takesRepetition(from remote: SocketAddress, now: Instant) -> Bool {
        if remote == accepted.remote { return true }
        guard now - startedAt >= HalfOpen.answerTime else { return false }
        hasOneAddress = false
        return true
    }

    /// Whether a packet was sealed with the client's keys; the packet is not changed.
    func isAuthentic(_ packet: UnsafeRawBufferPointer, _ header: DataHeader) -> Bool {
        // The keys do not change before the server has answered.
        guard header.phase == 0 else { return false }
        if cipher == nil {
            cipher = try? PacketCipher(
                suite: accepted.suite, secret: accepted.secrets.receiving)
        }
        return withUnsafeTemporaryAllocation(byteCount: packet.count, alignment: 16) { copy in
            copy.copyMemory(from: packet)
            return cipher?.open(
                packet: copy, headerLength: DataHeader.length,
                path: UInt32(header.path.rawValue), packetNumber: header.packetNumber) != nil
        }
    }
}

/// The half-open clients of a server, oldest first.
struct HalfOpenTable {
    private var byIndex: [UInt32: HalfOpen] = [:]
    private var order = FIFO<UInt32>()

    var count: Int { byIndex.count }
    /// All of them, in no order.
    var entries: [HalfOpen] { Array(byIndex.values) }

    subscript(index: UInt32) -> HalfOpen? { byIndex[index] }

    mutating func insert(_ entry: HalfOpen) {
        byIndex[entry.accepted.localIndex] = entry
        order.append(entry.accepted.localIndex)
    }

    mutating func remove(_ index: UInt32) -> HalfOpen? {
        let entry = byIndex.removeValue(forKey: index)
        skipRemoved()
        return entry
    }

    /// When the oldest is forgotten.
    var timeout: Instant {
        guard let first else { return .distantFuture }
        return first.startedAt + HalfOpen.lifetime
    }

    /// The oldest client, if it is at least `age` old.
    func oldest(after age: TimeDelta, now: Instant) -> HalfOpen? {
        guard let first, now - first.startedAt >= age else { return nil }
        return first
    }

    private var first: HalfOpen? { order.first.flatMap { byIndex[$0] } }

    private mutating func skipRemoved() {
        while let index = order.first, byIndex[index] == nil { _ = order.popFirst() }
    }
}
