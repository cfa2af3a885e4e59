/// Events that wait for the application; bounded, so that memory is limited if it never polls.
struct EventQueue {
    static let limit = 4096
    private var storage: [ConnectionEvent] = []
    private var head = 0

    mutating func append(_ event: ConnectionEvent) {
        guard storage.count - head < EventQueue.limit else { return }
        storage.append(event)
    }

    mutating func popFirst() -> ConnectionEvent? {
        guard head < storage.count else { return nil }
        let event = storage[head]
        head += 1
        if head == storage.count {
            storage.removeAll(keepingCapacity: true)
            head = 0
        }
        return event
    }
}
