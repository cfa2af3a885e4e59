import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// The stream of messages: the time and the content of each.
///
/// A message begins with its number and the time of sending, eight bytes each in little-endian
/// order; the rest repeats the number's last byte. Both ends use one clock.
struct MessageFeed: Sendable {
    static let headLength = 16

    let scenario: DemoScenario

    /// Sends all messages at their times, counted from `start`; returns the number of messages.
    func run(over session: Session, from start: Instant) async throws -> Int {
        let interval = 1 / Double(scenario.messageRate)
        var count = 0
        for number in 0..<scenario.messageCount {
            try await sleep(until: start + TimeDelta(seconds: Double(number) * interval))
            let now = MonotonicClock.now()
            do throws(SessionError) {
                try session.sendMessage(
                    MessageFeed.bytes(number, at: now, count: scenario.messageBytes),
                    deadline: scenario.deadline.duration)
            } catch {
                // A full queue is caused by the paths, so the message counts as late like any
                // other.
                guard case .stream(.messageQueueFull) = error else { throw error }
            }
            count += 1
        }
        return count
    }

    static func bytes(_ number: Int, at time: Instant, count: Int) -> [UInt8] {
        var bytes = [UInt8](
            repeating: UInt8(truncatingIfNeeded: number), count: max(headLength, count))
        store(UInt64(truncatingIfNeeded: number), at: 0, in: &bytes)
        store(UInt64(bitPattern: time.nanoseconds), at: 8, in: &bytes)
        return bytes
    }

    /// The number and the time of a message; nil if its bytes differ from those sent.
    static func parse(_ bytes: [UInt8], count: Int) -> (number: Int, sent: Instant)? {
        guard bytes.count == max(headLength, count) else { return nil }
        let number = load(bytes, at: 0)
        let last = UInt8(truncatingIfNeeded: number)
        guard number <= UInt64(Int32.max), bytes[headLength...].allSatisfy({ $0 == last }) else {
            return nil
        }
        return (Int(number), Instant(nanoseconds: Int64(bitPattern: load(bytes, at: 8))))
    }

    private static func store(_ value: UInt64, at offset: Int, in bytes: inout [UInt8]) {
        for index in 0..<8 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    private static func load(_ bytes: [UInt8], at offset: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
}

/// Returns at the given time of the monotonic clock, or throws if the task is cancelled.
func sleep(until time: Instant) async throws {
    let rest = time - MonotonicClock.now()
    if rest > .zero {
        try await Task.sleep(for: .nanoseconds(rest.nanoseconds), tolerance: .zero)
    } else {
        try Task.checkCancellation()
    }
}
