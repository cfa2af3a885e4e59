/// A queue of entries by time; ties are in the order of insertion.
///
/// Nearly all entries come in order and are in a ring; the others are in a binary heap. Both grow
/// to the largest load and allocate nothing after that.
struct TimedQueue: Sendable {
    struct Entry: Sendable {
        var due: Int64
        /// The order of insertion, which breaks ties.
        var order: UInt64
        var token: Int
        var bytes: Int32
        var tag: UInt8
    }

    private var ring: [Entry]
    private var head = 0
    private var ringCount = 0
    private var lastDue = Int64.min
    private var heap: [Entry] = []
    private var nextOrder: UInt64 = 0

    init() { ring = Array(repeating: TimedQueue.empty, count: 64) }

    private static let empty = Entry(due: 0, order: 0, token: 0, bytes: 0, tag: 0)

    var count: Int { ringCount &+ heap.count }

    /// Time of the first entry; `Int64.max` if none exists.
    var firstDue: Int64 {
        let due = ringCount > 0 ? ring[head].due : Int64.max
        return heap.isEmpty ? due : min(due, heap[0].due)
    }

    /// Token of the first entry; the queue must not be empty.
    var firstToken: Int {
        if heap.isEmpty || (ringCount > 0 && TimedQueue.precedes(ring[head], heap[0])) {
            return ring[head].token
        }
        return heap[0].token
    }

    /// Size of the first entry in the ring; zero if none exists.
    var firstBytes: Int { ringCount > 0 ? Int(ring[head].bytes) : 0 }

    mutating func push(due: Int64, token: Int, bytes: Int, tag: UInt8) {
        let entry = Entry(
            due: due, order: nextOrder, token: token, bytes: Int32(truncatingIfNeeded: bytes),
            tag: tag)
        nextOrder &+= 1
        if ringCount > 0, due < lastDue {
            pushHeap(entry)
            return
        }
        if ringCount == ring.count { grow() }
        ring[(head &+ ringCount) & (ring.count &- 1)] = entry
        ringCount &+= 1
        lastDue = due
    }

    /// Removes and returns the first entry; the queue must not be empty.
    mutating func popFirst() -> Entry {
        if heap.isEmpty || (ringCount > 0 && TimedQueue.precedes(ring[head], heap[0])) {
            let entry = ring[head]
            head = (head &+ 1) & (ring.count &- 1)
            ringCount &-= 1
            return entry
        }
        return popHeap()
    }

    private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
        left.due < right.due || (left.due == right.due && left.order < right.order)
    }

    private mutating func grow() {
        var larger = Array(repeating: TimedQueue.empty, count: ring.count * 2)
        for index in 0..<ringCount { larger[index] = ring[(head + index) & (ring.count - 1)] }
        ring = larger
        head = 0
    }

    private mutating func pushHeap(_ entry: Entry) {
        heap.append(entry)
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard TimedQueue.precedes(entry, heap[parent]) else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = entry
    }

    private mutating func popHeap() -> Entry {
        let top = heap[0]
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, TimedQueue.precedes(heap[child + 1], heap[child]) {
                child += 1
            }
            guard TimedQueue.precedes(heap[child], last) else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = last
        return top
    }
}
