import PathTelemetry

/// What a byte range belongs to: a stream or a message.
struct PieceKey: Hashable {
    private let number: UInt64

    /// Nil for frames that carry no data of the application.
    init?(_ frame: SentFrame) {
        switch frame {
        case .stream(let piece): number = piece.id.rawValue << 1
        case .message(let chunk): number = chunk.number << 1 | 1
        default: return nil
        }
    }
}

extension SentFrame {
    /// The bytes of a stream or message in the frame; an empty message counts as one byte.
    var pieceRange: Range<UInt64> {
        switch self {
        case .stream(let piece):
            let lower = piece.chunk.offset
            return lower..<lower &+ UInt64(max(0, piece.chunk.length))
        case .message(let chunk):
            let lower = UInt64(max(0, chunk.offset))
            return lower..<lower &+ UInt64(max(1, chunk.length))
        default: return 0..<0
        }
    }
}

/// Bytes of open decisions that more than one packet may bring: those that were lost or queued on
/// another path, and those of which copies are under way.
///
/// In the order in which they were added, which is about the order in which they arrive, so that
/// what is looked for stands near the front.
struct BurstPieces {
    /// Ranges held at once; beyond it bytes are not followed, and their decision closes as late.
    static let limit = 1 << 16

    struct Piece {
        var decision: UInt64
        var key: PieceKey
        var lower: UInt64
        var upper: UInt64

        var isEmpty: Bool { lower >= upper }
    }

    private var storage: [Piece] = []
    private var head = 0

    var isEmpty: Bool { head == storage.count }

    /// Follows the bytes of a frame; how many there are.
    mutating func add(_ frame: SentFrame, of decision: UInt64) -> UInt64 {
        guard let key = PieceKey(frame) else { return 0 }
        let range = frame.pieceRange
        if let last = storage.last, head < storage.count, last.decision == decision,
            last.key == key, last.upper == range.lowerBound
        {
            storage[storage.count - 1].upper = range.upperBound
        } else if storage.count - head < BurstPieces.limit, !range.isEmpty {
            storage.append(
                Piece(
                    decision: decision, key: key, lower: range.lowerBound, upper: range.upperBound))
        }
        return range.upperBound - range.lowerBound
    }

    /// Where pieces stand: positions that hold until `dropEmpty`.
    var positions: Range<Int> { head..<storage.count }

    /// The decision of the piece at a position, if bytes of the range are among it.
    func owner(at position: Int, of range: Range<UInt64>, _ key: PieceKey) -> UInt64? {
        let piece = storage[position]
        return piece.key == key && piece.lower < range.upperBound
            && piece.upper > range.lowerBound ? piece.decision : nil
    }

    /// The decision of the piece at a position.
    func decision(at position: Int) -> UInt64 { storage[position].decision }

    /// Follows the piece at a position no longer.
    mutating func drop(at position: Int) { storage[position].lower = storage[position].upper }

    /// Takes the bytes of a range out of the piece at a position; how many there were.
    ///
    /// What is left behind them becomes a piece at the end.
    mutating func take(_ range: Range<UInt64>, at position: Int) -> UInt64 {
        let piece = storage[position]
        let lower = max(piece.lower, range.lowerBound)
        let upper = min(piece.upper, range.upperBound)
        guard lower < upper else { return 0 }
        if lower == piece.lower {
            storage[position].lower = upper
        } else {
            storage[position].upper = lower
            if upper < piece.upper {
                var rest = piece
                rest.lower = upper
                storage.append(rest)
            }
        }
        return upper - lower
    }

    /// Gives the room of empty pieces at the front back.
    mutating func dropEmpty() {
        while head < storage.count, storage[head].isEmpty { head += 1 }
        if head == storage.count {
            storage.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024, head * 2 >= storage.count {
            storage.removeFirst(head)
            head = 0
        }
    }
}
