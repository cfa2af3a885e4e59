import PathLearning
import PathSimulation
import PathTelemetry

/// Someone who knows the links' future and sends every message once.
///
/// Messages are taken in the order in which they are offered. Each goes, whole, over the link on
/// which it arrives first, behind what the oracle itself has sent there; if it would be lost on all
/// links, the oracle waits until one delivers it. It has no handshake, no acknowledgements and no
/// congestion control.
///
/// The result is not a strict bound: choosing each message's best link on its own is not always best
/// for the messages behind it. No policy that sends each message once was seen below it; one that
/// sends copies cannot deliver a message earlier than its first arrival either, but it may leave
/// other queues behind. It needs links that draw by time, and workloads of messages only.
struct Oracle {
    let world: WorldSpecification
    let seed: UInt64

    /// Bytes of a packet besides the payload, within UDP: header, frame and tag.
    private static let overhead = 40
    /// Largest payload of a packet.
    private static let fragment = 1412
    /// How finely it looks for a time at which a link delivers.
    private static let step = TimeDelta.milliseconds(1)

    /// What the messages experience; nil if the world has other workloads, or
    /// links that are shared.
    func logs() -> (logs: [WorkloadLog], links: [DuplexLink])? {
        guard world.bottlenecks.isEmpty, world.cross.isEmpty else { return nil }
        var feeds: [MessageFeed] = []
        for (index, workload) in world.workloads.enumerated() {
            guard case .messages(let load) = workload.kind, load.leastShare == nil else {
                return nil
            }
            feeds.append(
                MessageFeed(
                    load, of: workload, index, seed: seed, start: WorldClock.start,
                    duration: world.duration))
        }
        var links = world.network(seed: seed).links.enumerated().map {
            DuplexLink($1, seed: seed, path: $0, origin: WorldClock.start)
        }
        while let next = feeds.indices.min(by: { feeds[$0].nextAt < feeds[$1].nextAt }),
            feeds[next].nextAt < WorldClock.start + world.duration
        {
            let now = feeds[next].nextAt
            guard let message = feeds[next].offer(now: now) else { break }
            let arrival = Oracle.send(
                message.size, over: &links, feeds[next].direction, at: now,
                until: now + feeds[next].load.deadline)
            if let arrival { feeds[next].arrive(message.place, at: arrival) }
        }
        return (feeds.map { .messages($0.log) }, links)
    }

    /// Sends a message where and when it arrives first; nil if no link delivers it in time.
    private static func send(
        _ size: Int, over links: inout [DuplexLink], _ direction: LinkDirection,
        at start: Instant, until end: Instant
    ) -> Instant? {
        var time = start
        while time < end {
            var best: (link: Int, arrival: Instant)?
            for index in links.indices {
                var trial = links[index][direction]
                guard let arrival = deliver(size, over: &trial, at: time),
                    arrival < best?.arrival ?? .distantFuture
                else { continue }
                best = (index, arrival)
            }
            if let best {
                offer(size, to: &links[best.link][direction], token: 1, at: time)
                return best.arrival
            }
            time = time + step
        }
        return nil
    }

    /// Offers the packets of a message; nil if one of them is dropped, else their number.
    @discardableResult
    private static func offer(
        _ size: Int, to link: inout Link, token: Int, at time: Instant
    ) -> Int? {
        while link.popDelivery(now: time) != nil {}
        while link.popSettlement() != nil {}
        var left = size
        var packets = 0
        var isWhole = true
        while left > 0 {
            let payload = min(left, fragment)
            left -= payload
            packets += 1
            let bytes = payload + overhead
            if case .dropped = link.handleSend(bytes: bytes, token: token, now: time) {
                isWhole = false
            }
        }
        return isWhole ? packets : nil
    }

    /// When the last packet of a message would arrive, behind those of earlier messages.
    private static func deliver(_ size: Int, over link: inout Link, at time: Instant) -> Instant? {
        guard let packets = offer(size, to: &link, token: 2, at: time) else { return nil }
        var last: Instant?
        var arrived = 0
        while let delivery = link.popDelivery(now: .distantFuture) {
            guard delivery.token == 2 else { continue }
            last = delivery.time
            arrived += 1
        }
        // A managed queue drops packets that it has accepted.
        return arrived >= packets ? last : nil
    }
}
