internal import PathTelemetry

/// A heap of slots by deadline: O(1) for the earliest, O(log n) to insert and remove.
struct DeadlineHeap: Sendable {
    private var heap: [(deadline: Instant, slot: Int)] = []
    /// The position of each slot in the heap, or -1.
    private var places: [Int]

    init(slots: Int) {
        places = Array(repeating: -1, count: slots)
        heap.reserveCapacity(slots)
    }

    /// The earliest deadline; `distantFuture` if none exists.
    var earliest: Instant { heap.first?.deadline ?? .distantFuture }

    /// Adds a slot; one that never expires is left out.
    mutating func insert(_ slot: Int, _ deadline: Instant) {
        remove(slot)
        if deadline == .distantFuture { return }
        heap.append((deadline, slot))
        places[slot] = heap.count - 1
        rise(heap.count - 1)
    }

    mutating func remove(_ slot: Int) {
        let place = places[slot]
        if place < 0 { return }
        swap(place, heap.count - 1)
        heap.removeLast()
        places[slot] = -1
        if place < heap.count {
            rise(place)
            sink(place)
        }
    }

    /// Removes and returns a slot whose deadline has passed.
    mutating func popExpired(now: Instant) -> Int? {
        guard let top = heap.first, top.deadline <= now else { return nil }
        remove(top.slot)
        return top.slot
    }

    private mutating func rise(_ start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            if heap[parent].deadline <= heap[place].deadline { return }
            swap(parent, place)
            place = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var place = start
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && heap[child].deadline < heap[least].deadline {
                least = child
            }
            if least == place { return }
            swap(least, place)
            place = least
        }
    }

    private mutating func swap(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        places[heap[a].slot] = a
        places[heap[b].slot] = b
    }
}
