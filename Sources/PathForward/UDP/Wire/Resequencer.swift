import PathTelemetry

/// Puts the datagrams of one direction in order, and holds none for longer than a given time.
///
/// For inner protocols that take reordering for loss. For each datagram `accept` is called; if it
/// says `inOrder` or `late` the datagram is handed over at once, if it says `early` it is given to
/// `hold`. Then, and at `due`, `popReady` is called until it returns nil. At most 256 datagrams and
/// a megabyte are held; beyond that the first ones are handed over early.
struct Resequencer<Item: Sendable>: Sendable {
    /// What to do with a datagram.
    enum Verdict: Hashable {
        /// It is the next one.
        case inOrder
        /// Datagrams after it have been handed over already.
        case late
        /// Some before it are missing.
        case early
    }

    private struct Held: Sendable {
        var sequence: UInt64
        var until: Instant
        var bytes: Int
        var item: Item
    }

    /// Most datagrams held.
    static var maximumCount: Int { 256 }
    /// Most bytes of them.
    static var maximumBytes: Int { 1 << 20 }

    /// How long a datagram is held at most.
    let patience: TimeDelta
    private var next: UInt64 = 0
    /// By sequence, lowest first.
    private var held: [Held] = []
    private(set) var heldBytes = 0

    init(patience: TimeDelta) { self.patience = patience }

    /// How many datagrams are held.
    var count: Int { held.count }

    /// When `popReady` has to be called.
    var due: Instant { held.lazy.map(\.until).min() ?? .distantFuture }

    mutating func accept(_ sequence: UInt64) -> Verdict {
        if sequence > next { return .early }
        guard sequence == next else { return .late }
        if next < .max { next += 1 }
        return .inOrder
    }

    /// Keeps a datagram that came before its predecessor.
    mutating func hold(_ item: Item, bytes: Int, sequence: UInt64, now: Instant) {
        let place = held.firstIndex { $0.sequence > sequence } ?? held.endIndex
        held.insert(
            Held(sequence: sequence, until: now + patience, bytes: bytes, item: item), at: place)
        heldBytes += bytes
    }

    /// The next datagram to hand over: its predecessor came, or it, or one behind it, has waited
    /// long enough.
    mutating func popReady(now: Instant) -> Item? {
        guard let first = held.first else { return nil }
        guard
            first.sequence <= next || due <= now || held.count > Self.maximumCount
                || heldBytes > Self.maximumBytes
        else { return nil }
        held.removeFirst()
        heldBytes -= first.bytes
        let (after, overflow) = first.sequence.addingReportingOverflow(1)
        next = max(next, overflow ? first.sequence : after)
        return first.item
    }
}
