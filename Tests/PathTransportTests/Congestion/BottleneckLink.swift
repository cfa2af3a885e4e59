@testable import PathTelemetry

/// Random loss behind the bottleneck.
enum RandomLoss {
    case none
    /// Independent loss with this probability.
    case bernoulli(Double)
    /// Two states; a packet is lost in the bad one. `enter` and `leave` are per-packet
    /// probabilities, so bursts last `1 / leave` packets and the mean loss is
    /// `enter / (enter + leave)`.
    case gilbertElliott(enter: Double, leave: Double)
}

/// A bottleneck in virtual time: a rate that may change, a drop-tail queue, a fixed delay, loss,
/// outages in both directions, and jitter that keeps the order.
struct LinkSettings {
    /// Bits per second from the start.
    var rate: Double
    /// Round trip without a queue; half of it each way.
    var roundTrip: TimeDelta
    var queueBytes = 150_000
    var loss = RandomLoss.none
    /// Later rates: (when, bits per second), in order of time.
    var rateChanges: [(at: TimeDelta, rate: Double)] = []
    /// Nothing passes in either direction from `start` to `end`.
    var outages: [(start: TimeDelta, end: TimeDelta)] = []
    /// Standard deviation of the extra one-way delay of data; packets stay in order.
    var jitter = TimeDelta.zero
    /// Uniform extra delay of ACKs up to this; ACKs may overtake each other.
    var ackJitter = TimeDelta.zero

    func rate(at time: Instant) -> Double {
        var current = rate
        for change in rateChanges where time.nanoseconds >= change.at.nanoseconds {
            current = change.rate
        }
        return current
    }

    func isDown(at time: Instant) -> Bool {
        outages.contains {
            time.nanoseconds >= $0.start.nanoseconds && time.nanoseconds < $0.end.nanoseconds
        }
    }
}

/// A first-in-first-out list that reuses its storage.
struct Fifo<Element> {
    private var items: [Element] = []
    private var head = 0

    var isEmpty: Bool { head == items.count }
    var first: Element? { head < items.count ? items[head] : nil }

    mutating func append(_ element: Element) { items.append(element) }

    mutating func popFirst() -> Element? {
        guard head < items.count else { return nil }
        let element = items[head]
        head += 1
        if head > 4_096 && head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Inserts by the given order, after equal elements; cheap near the end.
    mutating func insert(_ element: Element, by isAfter: (Element, Element) -> Bool) {
        var index = items.count
        while index > head && isAfter(items[index - 1], element) { index -= 1 }
        items.insert(element, at: index)
    }
}

/// The queue, the server and the loss process of one direction.
struct BottleneckLink {
    let settings: LinkSettings
    private var queue = Fifo<(number: Int, size: Int)>()
    private var generator: SeededGenerator
    private var isBad = false
    private var lastArrival = Instant.zero
    private(set) var queuedBytes = 0
    /// When the packet in service leaves; nil while idle.
    private(set) var serviceEnd: Instant?
    private(set) var overflowDrops = 0
    private(set) var randomDrops = 0
    private(set) var offered = 0

    init(_ settings: LinkSettings, seed: UInt64) {
        self.settings = settings
        generator = SeededGenerator(seed: seed)
    }

    mutating func enqueue(number: Int, size: Int, now: Instant) {
        offered += 1
        if settings.isDown(at: now) { return }
        guard queuedBytes + size <= settings.queueBytes else {
            overflowDrops += 1
            return
        }
        queuedBytes += size
        queue.append((number, size))
        if serviceEnd == nil { startService(now) }
    }

    private mutating func startService(_ now: Instant) {
        guard let next = queue.first else {
            serviceEnd = nil
            return
        }
        let seconds = Double(next.size) * 8 / settings.rate(at: now)
        serviceEnd = now + TimeDelta(seconds: seconds)
    }

    /// Ends the service of one packet.
    ///
    /// - Returns: its number and when it reaches the receiver, or nil if it was lost.
    mutating func finishService(_ now: Instant) -> (number: Int, arrival: Instant)? {
        guard let packet = queue.popFirst() else { return nil }
        queuedBytes -= packet.size
        startService(now)
        if settings.isDown(at: now) { return nil }
        if isLost() {
            randomDrops += 1
            return nil
        }
        var arrival = now + settings.roundTrip / 2
        if settings.jitter > .zero {
            arrival = arrival + settings.jitter * normal().magnitude
        }
        lastArrival = max(lastArrival, arrival)
        return (packet.number, lastArrival)
    }

    private mutating func isLost() -> Bool {
        switch settings.loss {
        case .none: return false
        case .bernoulli(let probability): return generator.uniform() < probability
        case .gilbertElliott(let enter, let leave):
            isBad = generator.uniform() < (isBad ? 1 - leave : enter)
            return isBad
        }
    }

    /// A normal variate as the sum of twelve uniform ones.
    private mutating func normal() -> Double {
        var sum = -6.0
        for _ in 0..<12 { sum += generator.uniform() }
        return sum
    }

    /// The extra delay of one ACK.
    mutating func ackDelay() -> TimeDelta {
        settings.ackJitter > .zero ? settings.ackJitter * generator.uniform() : .zero
    }
}
