import PathTelemetry
import PathTransport

/// The links of a world as one network: each path's own link, bottlenecks that paths share, and
/// flows of others that compete there.
///
/// - *handle*: `send` offers a datagram of a path.
/// - *poll*: `nextArrival(before:)` says when the next datagram arrives; then call `popArrival` until
///   nil. Both do in the order of time what happens inside: packets go from one hop to the next, and
///   the flows of others send and are acknowledged.
/// - *read*: `links`, `bottlenecks`, `flows`, and `imbalance`.
///
/// A packet is offered to its second hop when it has arrived at the end of the first. Each hop is a
/// `Link` and knows nothing of the others. Nothing is allocated per packet once the store has grown.
struct Network: Sendable {
    /// A datagram that has arrived at the end of its path.
    struct Arrival: Hashable, Sendable {
        var path: Int
        var direction: LinkDirection
        var time: Instant
        /// Bytes that were sent, and those that were written into the buffer: none if it is too small.
        var bytes: Int
        var count: Int
        /// What `send` was given.
        var mark: UInt64
        var isDuplicate: Bool
        var isCorrupted: Bool
    }

    /// The result of an offer.
    enum Sent: Hashable, Sendable {
        /// The first link has taken it or dropped it.
        case offered
        /// There is no memory for it.
        case unstored
    }

    /// Whose a packet in the store is.
    private struct Owner: Sendable {
        var path: Int
        var mark: UInt64
        /// Whether bits flipped on an earlier hop.
        var isDamaged = false
    }

    /// The links of the paths, and after them the bottlenecks, by `2 * hop + direction`.
    ///
    /// Directions are apart, as then none is copied to be read.
    private var lanes: [Link]
    private let linkCount: Int
    private let hopCount: Int
    private let overhead: Int
    private var store: PacketStore
    /// Of each packet in the store.
    private var owners: [Owner] = []
    private var crossing: [CrossFlow]
    /// The lane of each flow, and whether its packets may be marked.
    private let crossed: [(lane: Int, isCapable: Bool)]
    private var routes: Routes
    /// IP bytes that the ends of each path offered, both ways.
    private(set) var offered: [Int]
    /// IP bytes that were offered to the network and that left it, those of other flows included.
    private var entered = LinkCounters.Volume()
    private var arrived = LinkCounters.Volume()

    /// - Parameters:
    ///   - origin: time zero of outages, changes, traces and flows.
    ///   - overhead: bytes of IP and UDP headers added to each payload.
    ///   - capacity: the most datagrams held at once.
    init(
        _ specification: NetworkSpecification, seed: UInt64, origin: Instant = .zero,
        overhead: Int = SocketAddress.Family.ipv4.headerBytes, capacity: Int = 65_536
    ) {
        let count = specification.links.count
        linkCount = count
        offered = [Int](repeating: 0, count: count)
        self.overhead = overhead
        let all = specification.links + specification.bottlenecks
        hopCount = all.count
        lanes = all.enumerated().flatMap { place, link in
            let path = place < count ? place : Network.bottleneckStream + place - count
            return LinkDirection.allCases.map {
                Link(
                    link[$0], seed: seed, path: path, direction: $0, origin: origin,
                    overhead: overhead)
            }
        }
        let largest = lanes.map(\.parameters.largestPacket).max()
        store = PacketStore(slotSize: largest ?? 1, capacity: capacity)
        var routes = Routes(specification)
        // Packets of a managed queue may never come out.
        for lane in lanes.indices where lanes[lane].settlesLater { routes.share(lane) }
        let flows = specification.cross.filter { all.indices.contains($0.hop) }
            .prefix(CrossTraffic.limit)
        crossed = flows.map { (2 * $0.hop + Int($0.direction.rawValue), $0.isCapable) }
        crossing = flows.enumerated().map { CrossFlow($1, seed: seed, number: $0, origin: origin) }
        for flow in crossed { routes.share(flow.lane) }
        self.routes = routes
    }

    /// Where the streams of random numbers of bottlenecks begin, apart from those of paths.
    private static let bottleneckStream = 0x1_0000

    // MARK: handle

    /// Offers a datagram to the first hop of a path.
    ///
    /// - Parameter mark: comes back with each arrival.
    @discardableResult
    mutating func send(
        _ datagram: UnsafeRawBufferPointer, path: Int, direction: LinkDirection,
        mark: UInt64 = 0, now: Instant
    ) -> Sent {
        // A datagram larger than a slot exceeds the MTU, so the link counts and drops it.
        let slot = store.insert(datagram)
        if slot == nil, datagram.count <= store.slotSize { return .unstored }
        entered.add(datagram.count &+ overhead)
        offered[path] &+= datagram.count &+ overhead
        if let slot { own(slot, Owner(path: path, mark: mark)) }
        offer(
            datagram.count, token: slot ?? CrossFlow.nobody, flow: path,
            to: routes.start(of: path, direction), now: now)
        return .offered
    }

    /// Offers a packet to a lane, and frees what the lane has dropped.
    private mutating func offer(
        _ bytes: Int, token: Int, flow: Int, isCapable: Bool = false, to lane: Int, now: Instant
    ) {
        known = nil
        let result = lanes[lane].handleSend(
            bytes: bytes, token: token, flow: flow, isCapable: isCapable, now: now)
        if token >= 0 { store.settle(token, result) }
        if lanes[lane].settlesLater { settle(lane) }
    }

    private mutating func settle(_ lane: Int) {
        while let (token, result) = lanes[lane].popSettlement() {
            if token >= 0 { store.settle(token, result) }
        }
    }

    private mutating func own(_ slot: Int, _ owner: Owner) {
        while owners.count <= slot { owners.append(owner) }
        owners[slot] = owner
    }

    /// Changes a hop from a time on, or from now on if that is past.
    ///
    /// - Parameter hop: a path's link, or a bottleneck after all links.
    mutating func change(_ hop: Int, to next: LinkSpecification, at time: Instant) {
        for direction in LinkDirection.allCases {
            let lane = 2 * hop + Int(direction.rawValue)
            lanes[lane].change(to: next[direction], at: time)
            store.widen(to: lanes[lane].parameters.largestPacket)
            if lanes[lane].settlesLater { routes.share(lane) }
        }
        known = nil
    }

    // MARK: poll

    /// Where the next event is: a lane, or a flow after all lanes.
    private struct Event {
        var place = -1
        var due = Int64.max
    }

    /// The next event as far as it is known; nil once anything has happened since.
    private var known: Event?

    private mutating func nextEvent() -> Event {
        if let known { return known }
        let next = findEvent()
        known = next
        return next
    }

    private func findEvent() -> Event {
        var next = Event()
        for lane in lanes.indices {
            let due = lanes[lane].nextDue
            if due < next.due { next = Event(place: lane, due: due) }
        }
        for flow in crossing.indices {
            let due = crossing[flow].nextDue
            if due < next.due { next = Event(place: lanes.count &+ flow, due: due) }
        }
        return next
    }

    /// When something happens next; nil if nothing will.
    var nextTimeout: Instant? {
        let due = (known ?? findEvent()).due
        return due == .max ? nil : Instant(nanoseconds: due)
    }

    /// When the next datagram arrives at the end of its path, if that is before `limit`, which else is
    /// the result.
    ///
    /// Nothing may be sent before that time afterwards, because what happens inside has happened.
    mutating func nextArrival(before limit: Instant) -> Instant {
        while true {
            let event = nextEvent()
            guard event.due < limit.nanoseconds else { return limit }
            if isArrival(event) { return Instant(nanoseconds: event.due) }
            perform(event)
        }
    }

    /// Takes the earliest datagram that has arrived, and copies it into `buffer`.
    mutating func popArrival(
        now: Instant, into buffer: UnsafeMutableRawBufferPointer
    ) -> Arrival? {
        while true {
            let event = nextEvent()
            guard event.due <= now.nanoseconds else { return nil }
            guard isArrival(event) else {
                perform(event)
                continue
            }
            let lane = event.place
            known = nil
            guard let delivery = lanes[lane].popDelivery(now: Instant(nanoseconds: event.due))
            else { return nil }
            if lanes[lane].settlesLater { settle(lane) }
            arrived.add(delivery.bytes &+ overhead)
            let count = store.copy(delivery.token, damage: delivery.damage, into: buffer)
            store.release(delivery.token)
            let owner = owners[delivery.token]
            return Arrival(
                path: owner.path, direction: lane & 1 == 0 ? .forward : .backward,
                time: delivery.time,
                bytes: delivery.bytes, count: count, mark: owner.mark,
                isDuplicate: delivery.isDuplicate,
                isCorrupted: delivery.damage != nil || owner.isDamaged)
        }
    }

    /// Whether an event is a datagram at the end of its path.
    private func isArrival(_ event: Event) -> Bool {
        guard event.place < lanes.count else { return false }
        if routes.isLast[event.place] { return true }
        guard let token = lanes[event.place].firstToken else { return false }
        return token >= 0 && routes.next(of: owners[token].path, after: event.place) == nil
    }

    /// Lets happen what concerns no endpoint.
    private mutating func perform(_ event: Event) {
        let now = Instant(nanoseconds: event.due)
        let lane = event.place
        known = nil
        guard lane < lanes.count else {
            crossing[lane &- lanes.count].handleTimeout(now: now)
            return pump(lane &- lanes.count, now: now)
        }
        guard lanes[lane].firstToken != nil else {
            lanes[lane].advance(to: now)
            return settle(lane)
        }
        guard let delivery = lanes[lane].popDelivery(now: now) else { return }
        if lanes[lane].settlesLater { settle(lane) }
        guard delivery.token >= 0 else {
            arrived.add(delivery.bytes &+ overhead)
            let (flow, number) = CrossFlow.packet(of: delivery.token)
            crossing[flow].handleDelivery(number, isMarked: delivery.isMarked, at: now)
            return
        }
        var token = delivery.token
        if let damage = delivery.damage {
            // The other copy of the packet may be sound.
            guard let damaged = store.part(token, damage: damage) else { return lose(delivery) }
            var owner = owners[token]
            owner.isDamaged = true
            own(damaged, owner)
            token = damaged
        }
        let path = owners[token].path
        guard let after = routes.next(of: path, after: lane) else { return }
        offer(delivery.bytes, token: token, flow: path, to: after, now: now)
    }

    /// Gives up a damaged packet for which there is no memory.
    private mutating func lose(_ delivery: Link.Delivery) {
        store.release(delivery.token)
        arrived.add(delivery.bytes &+ overhead)
    }

    /// Sends what a flow may send now.
    private mutating func pump(_ flow: Int, now: Instant) {
        while let packet = crossing[flow].pollSend(now: now) {
            entered.add(packet.bytes)
            offer(
                packet.bytes &- overhead, token: packet.token, flow: linkCount &+ flow,
                isCapable: crossed[flow].isCapable, to: crossed[flow].lane, now: now)
        }
    }

    // MARK: read

    /// The links of the paths.
    var links: [DuplexLink] { (0..<linkCount).map { hop($0) } }
    /// The links that paths share.
    var bottlenecks: [DuplexLink] { (linkCount..<hopCount).map { hop($0) } }

    private func hop(_ hop: Int) -> DuplexLink {
        DuplexLink(forward: lanes[2 * hop], backward: lanes[2 * hop + 1])
    }

    /// What the flows of others have sent and got through.
    var flows: [CrossFlow.Counters] { crossing.map(\.counters) }
    /// Datagrams held now.
    var storedCount: Int { store.count }
    var pathCount: Int { linkCount }

    /// The counters of one direction of a path's link at a time.
    mutating func counters(
        path: Int, direction: LinkDirection, now: Instant
    ) -> LinkCounters {
        let lane = 2 * path + Int(direction.rawValue)
        known = nil
        lanes[lane].advance(to: now)
        settle(lane)
        return lanes[lane].counters
    }

    /// What is not accounted for; nil if every packet and byte is.
    ///
    /// In each link, and in all of them together: what came in, and the copies made, are what came
    /// out, was dropped, waits and is on its way.
    var imbalance: String? {
        var inside = LinkCounters.Volume()
        var outside = LinkCounters.Volume()
        for lane in lanes.indices {
            let link = lanes[lane].counters
            let left = link.sent + link.duplicated
            let right = link.delivered + link.dropped + link.queued + link.inFlight
            if left != right { return "lane \(lane) got \(left) and has \(right)" }
            inside = inside + link.duplicated
            outside = outside + link.dropped + link.queued + link.inFlight
        }
        let left = entered + inside
        let right = arrived + outside
        return left == right ? nil : "the network got \(left) and has \(right)"
    }
}
