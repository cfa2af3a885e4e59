/// A queue in a ring that keeps its storage, so steady use does not allocate.
struct FIFO<Element> {
    private var storage: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var first: Element? { count == 0 ? nil : storage[head] }

    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head &+ count) & (storage.count &- 1)] = element
        count &+= 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = (head &+ 1) & (storage.count &- 1)
        count &-= 1
        return element
    }

    /// Moves the first element to the end.
    mutating func rotate() {
        guard count > 1, let element = popFirst() else { return }
        append(element)
    }

    /// The element at a place from the front.
    subscript(index: Int) -> Element? {
        index >= 0 && index < count ? storage[(head &+ index) & (storage.count &- 1)] : nil
    }

    private mutating func grow() {
        var larger = [Element?](repeating: nil, count: Swift.max(8, storage.count &* 2))
        for index in 0..<count { larger[index] = storage[(head &+ index) & (storage.count &- 1)] }
        storage = larger
        head = 0
    }
}

extension FIFO: Sendable where Element: Sendable {}
