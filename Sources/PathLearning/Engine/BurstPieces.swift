import PathTelemetry

/// Tracked bytes of open decisions that more than one packet may carry: bytes that were lost or
/// queued on another path, and bytes with copies in flight.
///
/// They are kept in the order in which they were added, which is about the order of arrival, so
/// searches end near the front.
struct BurstPieces {
    /// The most ranges; beyond that bytes are not tracked, and their decision closes as late.
    static let limit = 1 << 16

    private struct Followed {
        var decision: UInt64
        var piece: DataPiece
    }

    private var storage: [Followed] = []
    private var head = 0

    var isEmpty: Bool { head == storage.count }

    /// Tracks bytes of a decision.
    mutating func add(_ piece: DataPiece, of decision: UInt64) {
        if let last = storage.last, head < storage.count, last.decision == decision,
            last.piece.owner == piece.owner, last.piece.upper == piece.lower
        {
            storage[storage.count - 1].piece.upper = piece.upper
        } else if storage.count - head < BurstPieces.limit, !piece.isEmpty {
            storage.append(Followed(decision: decision, piece: piece))
        }
    }

    /// The positions of pieces, valid until `dropEmpty`.
    var positions: Range<Int> { head..<storage.count }

    /// The decision of the piece at a position, if it overlaps `piece`.
    func owner(at position: Int, of piece: DataPiece) -> UInt64? {
        storage[position].piece.overlaps(piece) ? storage[position].decision : nil
    }

    /// The decision of the piece at a position.
    func decision(at position: Int) -> UInt64 { storage[position].decision }

    /// Stops tracking the piece at a position.
    mutating func drop(at position: Int) {
        storage[position].piece.lower = storage[position].piece.upper
    }

    /// Removes bytes from the piece at a position and returns how many there were.
    ///
    /// The rest after them becomes a new piece at the end.
    mutating func take(_ taken: DataPiece, at position: Int) -> UInt64 {
        let own = storage[position].piece
        let lower = max(own.lower, taken.lower)
        let upper = min(own.upper, taken.upper)
        guard lower < upper else { return 0 }
        if lower == own.lower {
            storage[position].piece.lower = upper
        } else {
            storage[position].piece.upper = lower
            if upper < own.upper {
                var rest = storage[position]
                rest.piece.lower = upper
                rest.piece.upper = own.upper
                storage.append(rest)
            }
        }
        return upper - lower
    }

    /// Frees empty pieces at the front.
    mutating func dropEmpty() {
        while head < storage.count, storage[head].piece.isEmpty { head += 1 }
        if head == storage.count {
            storage.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024, head * 2 >= storage.count {
            storage.removeFirst(head)
            head = 0
        }
    }
}
