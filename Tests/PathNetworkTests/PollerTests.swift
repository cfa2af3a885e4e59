import Foundation
import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

struct PollerTests {
    /// The clock that counts sleep runs ahead of the other one by the time slept.
    @Test func sleepIsMeasuredOnce() {
        var watch = SleepWatch()
        let second: Int64 = 1_000_000_000
        #expect(watch.measure(monotonic: 10 * second, boot: 12 * second) == nil)
        #expect(watch.measure(monotonic: 11 * second, boot: 13 * second + 1000) == nil)
        #expect(
            watch.measure(monotonic: 12 * second, boot: 314 * second + 1000) == .seconds(300))
        #expect(watch.measure(monotonic: 13 * second, boot: 315 * second) == nil)
        var real = SleepWatch()
        _ = real.measure()
        #expect(real.measure() == nil)
    }

    @Test func deadlineIsWaitedFor() throws {
        let poller = try Poller()
        var events = Poller.Events()
        for microseconds in [0, 150, 2_000] {
            let deadline = MonotonicClock.now() + .microseconds(Int64(microseconds))
            try poller.wait(until: deadline, into: &events)
            #expect(MonotonicClock.now() >= deadline)
            #expect(events.count == 0)
            #expect(events.wasWoken == false)
        }
    }

    @Test func deadlineInThePastReturnsWhatIsReady() throws {
        let poller = try Poller()
        var events = Poller.Events()
        try poller.wait(until: .zero, into: &events)
        #expect(events.count == 0)
        poller.waker.wake()
        try poller.wait(until: .zero, into: &events)
        #expect(events.wasWoken == true)
    }

    @Test func anotherThreadEndsAWaitWithoutDeadline() throws {
        let poller = try Poller()
        let waker = poller.waker
        var events = Poller.Events()
        for _ in 0..<200 {
            let thread = Thread { waker.wake() }
            thread.start()
            try poller.wait(until: nil, into: &events)
            #expect(events.wasWoken == true)
            #expect(events.count == 0)
        }
        try poller.wait(until: MonotonicClock.now() + .milliseconds(2), into: &events)
        #expect(events.wasWoken == false)
    }

    @Test func callsBeforeTheWaitCountAsOne() throws {
        let poller = try Poller()
        var events = Poller.Events()
        for _ in 0..<5 { poller.waker.wake() }
        try poller.wait(until: nil, into: &events)
        #expect(events.wasWoken == true)
        try poller.wait(until: .zero, into: &events)
        #expect(events.wasWoken == false)
    }

    /// A call between draining the descriptor and clearing the flag must not be lost.
    @Test func noWakeUpIsLost() throws {
        let poller = try Poller()
        let waker = poller.waker
        let requests = Counter()
        let thread = Thread {
            for _ in 0..<20_000 {
                requests.increment()
                waker.wake()
            }
        }
        thread.start()
        var events = Poller.Events()
        while requests.value < 20_000 {
            try poller.wait(until: MonotonicClock.now() + .seconds(20), into: &events)
            guard events.wasWoken else { break }
        }
        #expect(requests.value == 20_000)
    }

    @Test func wakerOutlivesItsPoller() throws {
        let waker = try Poller().waker
        waker.wake()
        waker.wake()
        let poller = try Poller()
        var events = Poller.Events()
        try poller.wait(until: .zero, into: &events)
        #expect(events.wasWoken == false)
    }

    @Test func eventsCarryTheirTokens() throws {
        var sender = try UDPSocket(local: ipv4Loopback)
        let first = try UDPSocket(local: ipv4Loopback)
        var second = try UDPSocket(local: ipv4Loopback)
        let poller = try Poller()
        try poller.add(first.descriptor, token: 11)
        try poller.add(second.descriptor, token: 22)
        var events = Poller.Events()
        #expect(sender.send([1], to: second.localAddress) == .sent(1))
        try poller.wait(until: nil, into: &events)
        try #require(events.count == 1)
        #expect(events[0].token == 22)
        #expect(events[0].isReadable && !events[0].isWritable && !events[0].hasFault)

        try poller.modify(second.descriptor, token: 33, interest: [.readable, .writable])
        try poller.wait(until: nil, into: &events)
        try #require(events.count == 1)
        #expect(events[0].token == 33)
        #expect(events[0].isReadable && events[0].isWritable)

        var batch = try ReceiveBatch()
        #expect(second.receive(into: &batch) == .received(1))
        try poller.modify(second.descriptor, token: 33, interest: .readable)
        try poller.wait(until: .zero, into: &events)
        #expect(events.count == 0)

        #expect(sender.send([1], to: second.localAddress) == .sent(1))
        try poller.wait(until: nil, into: &events)
        try poller.remove(second.descriptor)
        try poller.wait(until: .zero, into: &events)
        #expect(events.count == 0)
        #expect(throws: NetworkError.self) { try poller.remove(second.descriptor) }
    }
}

/// A number shared by two threads.
private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    func increment() { lock.withLock { count += 1 } }
    var value: Int { lock.withLock { count } }
}
