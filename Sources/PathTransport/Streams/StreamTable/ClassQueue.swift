/// The streams that have something to send, in the order of sending: by class, and in turn within a
/// class.
///
/// Each class has a virtual time that grows with its bytes times their cost, and the class with the
/// least time is served (start-time fair queuing, Goyal, Vin and Cheng 1997). A class that was empty
/// starts at the present time, so waiting earns no credit. Every call takes constant time.
struct ClassQueue {
    private static let classes = StreamPriority.allCases.count

    private var queues = InlineArray<3, FIFO<StreamSlot>>(repeating: FIFO())
    private var spent = InlineArray<3, UInt64>(repeating: 0)
    /// Virtual time of the latest piece.
    private var clock: UInt64 = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The class whose turn it is; the most urgent of equals.
    private var turn: Int {
        var best = 0
        var least = UInt64.max
        for index in 0..<ClassQueue.classes where !queues[index].isEmpty && spent[index] < least {
            least = spent[index]
            best = index
        }
        return best
    }

    /// The stream whose turn it is.
    var first: StreamSlot? { queues[turn].first }

    /// Adds a stream at the end of its class.
    mutating func append(_ slot: StreamSlot) {
        let index = Int(slot.priority.rawValue)
        if queues[index].isEmpty { spent[index] = max(spent[index], clock) }
        queues[index].append(slot)
        count &+= 1
    }

    /// Charges a piece of the first stream to its class, and moves the stream to the end of its
    /// class, which may have changed, or removes it.
    ///
    /// - Parameter bytes: of the piece; nil if there was none.
    mutating func advance(_ bytes: Int?, keeps: Bool) {
        let index = turn
        if let bytes {
            clock = spent[index]
            let cost = StreamPriority(rawValue: UInt8(index))?.cost ?? 1
            spent[index] &+= UInt64(max(1, bytes)) &* cost
        }
        guard let slot = queues[index].first else { return }
        if keeps, Int(slot.priority.rawValue) == index {
            queues[index].rotate()
            return
        }
        _ = queues[index].popFirst()
        count &-= 1
        if keeps { append(slot) }
    }

    /// The stream at a place, in any order.
    subscript(place: Int) -> StreamSlot? {
        var place = place
        for index in 0..<ClassQueue.classes {
            if place < queues[index].count { return queues[index][place] }
            place -= queues[index].count
        }
        return nil
    }
}
