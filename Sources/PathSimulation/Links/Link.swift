public import PathTelemetry
public import PathTransport

/// One direction of one path in virtual or real time: a deterministic value without I/O, clock, or
/// allocations per packet.
///
///     policer -> bottleneck (rate, rates or trace; queue) -> loss -> duplication
///         -> delay and jitter -> corruption -> the other side
///
/// `LinkFaults` has the impairments, one file for each.
///
/// - *handle*: `handleSend` offers a packet. The caller keeps the bytes and passes a token. If the
///   queue is managed (CoDel, FQ-CoDel), an accepted packet may be dropped later: `popSettlement`.
///   `change` changes the link.
/// - *poll*: call `popDelivery` until nil, at the latest at `nextDelivery`.
/// - *read*: `nextDelivery`, and `counters` after `advance(to:)`.
///
/// Times must not decrease; an earlier one counts as the latest given. All draws depend only on
/// seed, path and direction, and on the count of packets or, with `drawsByTime`, on the time at
/// which a packet leaves the queue. So two runs of one seed differ only in what was sent. Where
/// service is first in, first out, the fate of a packet is known when it is offered: the caller may
/// reuse the bytes of a lost packet at once, while its place in the queue stays occupied until it
/// leaves. A managed queue decides when the packet's turn comes.
///
/// A link knows nothing of others: `Network` joins links to ways through shared ones, and lets flows of
/// others send over them.
///
/// Not modelled: the reaction of a link layer to loss (retransmission, rate adaptation) and medium
/// access; queue management other than CoDel and FQ-CoDel, and priorities; headers below IP (but 14
/// bytes in netem mode) and fragmentation; NAT time-outs and address changes; hosts: CPU time, timer
/// and scheduling delay, socket buffers, segmentation offload; a UDP checksum, which would discard
/// most corrupted packets before the receiver saw them.
public struct Link: Sendable {
    /// The fate of an offered packet.
    public enum SendResult: Sendable, Hashable {
        /// The token will be delivered that many times.
        case accepted(copies: Int)
        /// The token will not be delivered; it is free.
        case dropped(DropReason)
    }

    /// Why a packet was dropped.
    public enum DropReason: Sendable, Hashable, CaseIterable {
        case queueFull
        case loss
        case outage
        /// Larger than the MTU.
        case size
        /// The link holds its maximum number of packets.
        case overflow
        /// The management of the queue dropped it, to keep the queue short.
        case managed
        /// It exceeded the policer's rate.
        case policed
    }

    /// A packet that has arrived.
    public struct Delivery: Sendable, Hashable {
        public var token: Int
        public var time: Instant
        /// As given to `handleSend`, without the headers.
        public var bytes: Int
        /// Whether it is the second arrival of the same packet.
        var isDuplicate: Bool
        /// Set when bits of this copy have flipped.
        var damage: Damage?
        /// Whether it carries a mark of congestion.
        var isMarked: Bool
    }

    /// What it was given, with the changes since.
    public private(set) var parameters: LinkParameters
    /// As of the latest time given; `advance(to:)` updates them.
    public private(set) var counters = LinkCounters()

    private let origin: Int64
    private let overhead: Int
    private var service: Service
    /// Whether packets are accepted before their fate is known, now or at another time.
    private(set) var settlesLater: Bool
    private var now = Int64.min
    private var bottleneck: Bottleneck
    private var intake: LinkParameters.Intake
    private var nextIntake = 0
    private var intakeDue = Int64.max
    private var policer: Policer?
    private var isPoliced: Bool
    /// The waiting packets if their queue is managed, and when the next of them is taken.
    private var managed: ManagedQueue?
    private var serviceDue = Int64.max
    private var lastService = Int64.min
    /// Fates that were decided after the packet was accepted.
    private var settlements: [Settlement] = []
    private var faults: LinkFaults
    private var delayMilliseconds: Double
    private var nextPhase = 0
    private let first: LinkRandom
    /// Draws losses and delays.
    private var random: LinkRandom
    /// Draws copies and their delays, separately, so that copies do not change losses and delays.
    private var copies: LinkRandom
    /// Where the streams of single moments begin, with `drawsByTime`.
    private let moments: LinkRandom
    private var latestMoment = Int64.min
    private var atThisMoment: UInt64 = 0
    private var departures = TimedQueue()
    private var deliveries = TimedQueue()
    private var lastDue = Int64.min

    private static let ethernetHeader = 14
    private static let lostTag: UInt8 = 1
    private static let outageTag: UInt8 = 2
    private static let duplicateTag: UInt8 = 4
    private static let corruptTag: UInt8 = 8
    private static let markTag: UInt8 = 16

    /// Who decides what happens at the bottleneck.
    private enum Service { case plain, netem, managed }

    /// The fate of a packet that was accepted first.
    struct Settlement: Sendable, Hashable {
        var token: Int
        var result: SendResult
    }

    /// - Parameters:
    ///   - seed: of all random draws.
    ///   - path: number of the path; paths of one seed draw independently.
    ///   - origin: time zero of outages, rate changes and the trace.
    ///   - overhead: bytes of IP and UDP headers added to each payload.
    public init(
        _ parameters: LinkParameters, seed: UInt64, path: Int, direction: LinkDirection,
        origin: Instant = .zero, overhead: Int = SocketAddress.Family.ipv4.headerBytes
    ) {
        self.parameters = parameters
        self.origin = Link.bounded(origin)
        self.overhead = max(0, min(overhead, 1024))
        bottleneck = Bottleneck(parameters)
        random = LinkRandom(seed: seed, path: path, direction: direction)
        copies = random.branch(0x6475_706c_6963_6174)
        moments = random.branch(0x6d6f_6d65_6e74_7321)
        faults = parameters.faults
        faults.start(random)
        first = random
        delayMilliseconds = parameters.delayMilliseconds
        intake = parameters.intake
        policer = intake.policer.map { Policer($0) }
        isPoliced = policer != nil
        managed = ManagedQueue(intake.discipline, limit: intake.queue)
        service = parameters.isNetem ? .netem : managed == nil ? .plain : .managed
        settlesLater = parameters.settlesLater
        intakeDue = parameters.intakeSteps.first?.at.nanoseconds ?? .max
    }

    // MARK: handle

    /// Offers a packet to the link.
    ///
    /// - Parameters:
    ///   - bytes: of the UDP payload.
    ///   - token: returned with each delivery.
    public mutating func handleSend(bytes: Int, token: Int, now time: Instant) -> SendResult {
        handleSend(bytes: bytes, token: token, flow: 0, isCapable: false, now: time)
    }

    /// Offers a packet of a flow to the link.
    ///
    /// - Parameters:
    ///   - flow: queues that tell flows apart do it by this number.
    ///   - isCapable: whether it may be marked instead of dropped.
    mutating func handleSend(
        bytes: Int, token: Int, flow: Int, isCapable: Bool, now time: Instant
    ) -> SendResult {
        advance(to: time)
        let size = max(0, min(bytes, LinkBounds.packet.upperBound)) &+ overhead
        counters.sent.add(size)
        if size > intake.maximumPacket {
            counters.droppedSize.add(size)
            return .dropped(.size)
        }
        if faults.isDown(at: now) {
            counters.droppedOutage.add(size)
            return .dropped(.outage)
        }
        if departures.count &+ deliveries.count >= LinkBounds.heldPackets {
            counters.droppedOverflow.add(size)
            return .dropped(.overflow)
        }
        if isPoliced, exceedsRate(size) {
            counters.droppedPolicer.add(size)
            return .dropped(.policed)
        }
        switch service {
        case .plain: return queue(size, token)
        case .netem: return queueNetem(size, token)
        case .managed:
            return queueManaged(
                QueuedPacket(
                    token: token, size: size, flow: flow, arrival: now, isCapable: isCapable))
        }
    }

    @inline(never)
    private mutating func exceedsRate(_ size: Int) -> Bool {
        policer?.admits(bytes: size, at: now) == false
    }

    private mutating func queue(_ size: Int, _ token: Int) -> SendResult {
        if bottleneck.isUnlimited { return propagate(size, token, departure: now) }
        guard hasRoom(size) else {
            counters.droppedQueue.add(size)
            return .dropped(.queueFull)
        }
        let departure = bottleneck.departure(bytes: size, arrival: now)
        return propagate(size, token, departure: departure)
    }

    /// Waiting packets count, the one in service does not; in netem mode all held packets count.
    private func hasRoom(_ size: Int) -> Bool {
        let isPlain = service == .plain
        let inService = isPlain ? min(1, counters.queued.packets) : 0
        if isPlain, inService == 0 { return true }
        switch intake.queue {
        case .packets(let limit): return counters.queued.packets &- inService < limit
        case .bytes(let limit):
            return counters.queued.bytes &- (isPlain ? departures.firstBytes : 0) &+ size <= limit
        }
    }

    /// Decides the fate of a packet that leaves the bottleneck at `departure`.
    private mutating func propagate(
        _ size: Int, _ token: Int, departure: Int64, mark: UInt8 = 0
    ) -> SendResult {
        begin(at: departure)
        if faults.isDown(at: departure) {
            hold(size, until: departure, tag: Link.outageTag)
            return .dropped(.outage)
        }
        if faults.loses(&random) {
            hold(size, until: departure, tag: Link.lostTag)
            return .dropped(.loss)
        }
        schedule(size, token, due: saturatingSum(departure, delay()), tag: mark)
        guard faults.copies(&copies) else {
            hold(size, until: departure, tag: 0)
            return .accepted(copies: 1)
        }
        schedule(
            size, token, due: saturatingSum(departure, delayOfCopy()),
            tag: Link.duplicateTag | mark)
        hold(size, until: departure, tag: Link.duplicateTag)
        return .accepted(copies: 2)
    }

    @inline(never)
    private mutating func queueManaged(_ packet: QueuedPacket) -> SendResult {
        guard managed?.enqueue(packet) == true else {
            counters.droppedQueue.add(packet.size)
            return .dropped(.queueFull)
        }
        counters.queued.add(packet.size)
        counters.maximumQueueBytes = max(counters.maximumQueueBytes, counters.queued.bytes)
        settleDropped(.queueFull)
        if serviceDue == .max { serviceDue = max(now, lastService) }
        serve()
        return .accepted(copies: 1)
    }

    /// Takes packets out of the managed queue whenever the bottleneck is free, until now.
    @inline(never)
    private mutating func serve() {
        while serviceDue <= now {
            let time = serviceDue
            let next = managed?.dequeue(at: time)
            settleDropped(.managed)
            guard let packet = next else {
                serviceDue = .max
                return
            }
            counters.queued.remove(packet.size)
            if packet.isMarked { counters.marked.add(packet.size) }
            lastService = leave(packet, from: time)
            serviceDue = managed?.count == 0 ? .max : lastService
        }
    }

    /// Serves a packet of the managed queue from a time on; returns its departure.
    private mutating func leave(_ packet: QueuedPacket, from time: Int64) -> Int64 {
        let departure =
            bottleneck.isUnlimited
            ? time : bottleneck.departure(bytes: packet.size, arrival: time)
        let result = propagate(
            packet.size, packet.token, departure: departure,
            mark: packet.isMarked ? Link.markTag : 0)
        if result != .accepted(copies: 1) {
            settlements.append(Settlement(token: packet.token, result: result))
        }
        return departure
    }

    private mutating func settleDropped(_ reason: DropReason) {
        guard let dropped = managed?.dropped, !dropped.isEmpty else { return }
        for packet in dropped {
            counters.queued.remove(packet.size)
            if reason == .managed {
                counters.droppedManaged.add(packet.size)
            } else {
                counters.droppedQueue.add(packet.size)
            }
            settlements.append(Settlement(token: packet.token, result: .dropped(reason)))
        }
        managed?.dropped.removeAll(keepingCapacity: true)
    }

    /// Loss is first; then the queue holds each packet until it leaves at `max(now + delay, last
    /// departure) + size / rate`.
    private mutating func queueNetem(_ size: Int, _ token: Int) -> SendResult {
        begin(at: now)
        if faults.loses(&random) {
            counters.droppedLoss.add(size)
            return .dropped(.loss)
        }
        guard hasRoom(size) else {
            counters.droppedQueue.add(size)
            return .dropped(.queueFull)
        }
        enterNetem(size, token, delay: delay(), tag: 0)
        guard faults.copies(&copies), hasRoom(size) else { return .accepted(copies: 1) }
        counters.duplicated.add(size)
        enterNetem(size, token, delay: delayOfCopy(), tag: Link.duplicateTag)
        return .accepted(copies: 2)
    }

    /// Prepares the draws of a packet that meets the faults at a time.
    private mutating func begin(at time: Int64) {
        while nextPhase < parameters.phases.count,
            parameters.phases[nextPhase].at.nanoseconds <= time
        {
            enter(parameters.phases[nextPhase])
        }
        faults.advance(to: time)
        guard parameters.drawsByTime else { return }
        // Packets of one moment are drawn one by one: the first has the same fate however many
        // follow.
        atThisMoment = time == latestMoment ? atThisMoment &+ 1 : 0
        latestMoment = time
        random = moments.at(time, number: atThisMoment)
        copies = random.branch(0x6475_706c_6963_6174)
        faults.draw(from: random)
    }

    /// Takes the delay and the faults that hold from now on.
    private mutating func enter(_ phase: LinkParameters.Phase) {
        let before = nextPhase > 0 ? parameters.phases[nextPhase - 1].faults : parameters.faults
        nextPhase += 1
        delayMilliseconds = phase.delayMilliseconds
        // The streams belong to the time, so that they do not depend on how many changes there are.
        faults.change(
            from: before, to: phase.faults,
            first.branch(UInt64(bitPattern: phase.at.nanoseconds)))
    }

    private mutating func enterNetem(_ size: Int, _ token: Int, delay: Int64, tag: UInt8) {
        var due = saturatingSum(now, delay)
        if !bottleneck.isUnlimited {
            due = max(due, lastDue)
            due = saturatingSum(
                due, bottleneck.serviceTime(bytes: size &+ Link.ethernetHeader, start: due))
        }
        lastDue = max(lastDue, due)
        deliveries.push(due: due, token: token, bytes: size, tag: tag | damageTag())
        hold(size, until: due, tag: 0)
    }

    private mutating func schedule(_ size: Int, _ token: Int, due: Int64, tag: UInt8) {
        let due = faults.reorders ? due : max(due, lastDue)
        lastDue = max(lastDue, due)
        deliveries.push(due: due, token: token, bytes: size, tag: tag | damageTag())
    }

    private mutating func damageTag() -> UInt8 { faults.damages() ? Link.corruptTag : 0 }

    private mutating func delay() -> Int64 {
        nanoseconds(faults.delay(delayMilliseconds, &random) * 1e6)
    }

    private mutating func delayOfCopy() -> Int64 {
        nanoseconds(faults.delay(delayMilliseconds, &copies) * 1e6)
    }

    /// Counts a packet as queued until its departure.
    private mutating func hold(_ size: Int, until departure: Int64, tag: UInt8) {
        if departure <= now {
            depart(size, tag)
            return
        }
        counters.queued.add(size)
        counters.maximumQueueBytes = max(counters.maximumQueueBytes, counters.queued.bytes)
        departures.push(due: departure, token: 0, bytes: size, tag: tag)
    }

    // MARK: changes

    /// Takes rate, delay, faults and intake of other parameters from a time on, or from now on if that
    /// is past, until the next planned change.
    ///
    /// Packets whose departure is known keep it and their fate: in a queue that is not managed those are
    /// all that wait.
    mutating func change(to next: LinkParameters, at time: Instant) {
        let at = max(now, Link.bounded(time) - origin)
        let places = parameters.change(to: next, at: TimeDelta(nanoseconds: max(0, at)))
        if let place = places.rate { bottleneck.take(parameters.rateSteps, addedAt: place) }
        if let place = places.phase, place < nextPhase { nextPhase += 1 }
        settlesLater = settlesLater || parameters.settlesLater
        if nextIntake < parameters.intakeSteps.count {
            intakeDue = parameters.intakeSteps[nextIntake].at.nanoseconds
        }
    }

    /// Takes the intake that holds from `intakeDue` on, after what happens before.
    @inline(never)
    private mutating func enterIntake() {
        now = max(now, intakeDue)
        if serviceDue <= now { serve() }
        let before = intake
        intake = parameters.intakeSteps[nextIntake].intake
        nextIntake += 1
        intakeDue =
            nextIntake < parameters.intakeSteps.count
            ? parameters.intakeSteps[nextIntake].at.nanoseconds : .max
        if intake.policer != before.policer { changePolicer() }
        if intake.discipline != before.discipline {
            changeDiscipline()
        } else {
            managed?.limit = intake.queue
        }
    }

    private mutating func changePolicer() {
        isPoliced = intake.policer != nil
        guard let settings = intake.policer else {
            policer = nil
            return
        }
        if policer == nil { policer = Policer(settings) }
        policer?.change(to: settings, at: now)
    }

    /// Hands the waiting packets to another management, or lets them leave one after another if there
    /// is none; `check` has refused one in netem mode.
    private mutating func changeDiscipline() {
        let waiting = managed?.waiting ?? []
        managed = ManagedQueue(intake.discipline, limit: intake.queue)
        guard managed != nil, service != .netem else {
            managed = nil
            serviceDue = .max
            if service == .managed { service = .plain }
            for packet in waiting {
                counters.queued.remove(packet.size)
                _ = leave(packet, from: now)
            }
            return
        }
        service = .managed
        lastService = max(lastService, bottleneck.lastDeparture)
        for packet in waiting { managed?.append(packet) }
        serviceDue = waiting.isEmpty ? .max : max(now, lastService)
    }

    // MARK: poll

    /// When something happens next, nanoseconds of the caller's clock; `Int64.max` if nothing does.
    var nextDue: Int64 {
        let due = min(deliveries.firstDue, serviceDue, releaseDue)
        return due == .max ? due : saturatingSum(due, origin)
    }

    /// Token of the next packet to arrive; nil if something else happens before.
    var firstToken: Int? {
        deliveries.firstDue == .max || min(serviceDue, releaseDue) < deliveries.firstDue
            ? nil : deliveries.firstToken
    }

    /// When a change may let packets go that wait.
    private var releaseDue: Int64 { settlesLater ? intakeDue : .max }

    /// Takes a fate that was decided after the packet was accepted, before its delivery.
    public mutating func popSettlement() -> (token: Int, result: SendResult)? {
        settlements.popLast().map { ($0.token, $0.result) }
    }

    /// When the next packet arrives at the other side; nil if none is in flight.
    var nextDelivery: Instant? {
        let due = deliveries.firstDue
        return due == .max ? nil : Instant(nanoseconds: saturatingSum(due, origin))
    }

    /// Removes and returns the next packet that has arrived by now.
    public mutating func popDelivery(now time: Instant) -> Delivery? {
        advance(to: time)
        guard deliveries.firstDue <= now else { return nil }
        let entry = deliveries.popFirst()
        let size = Int(entry.bytes)
        counters.inFlight.remove(size)
        counters.delivered.add(size)
        var damage: Damage?
        if entry.tag & Link.corruptTag != 0 {
            counters.corrupted.add(size)
            damage = faults.damage(of: entry.order)
        }
        return Delivery(
            token: entry.token, time: Instant(nanoseconds: saturatingSum(entry.due, origin)),
            bytes: size &- overhead, isDuplicate: entry.tag & Link.duplicateTag != 0,
            damage: damage, isMarked: entry.tag & Link.markTag != 0)
    }

    /// Removes the packets that have left the queue by now.
    public mutating func advance(to time: Instant) {
        let time = max(now, Link.bounded(time) - origin)
        while intakeDue <= time { enterIntake() }
        now = time
        if serviceDue <= now { serve() }
        while departures.firstDue <= now {
            let entry = departures.popFirst()
            counters.queued.remove(Int(entry.bytes))
            depart(Int(entry.bytes), entry.tag)
        }
    }

    /// Limits times to a quarter of the range, so that sums with delays and repeats of a trace do
    /// not overflow.
    private static func bounded(_ time: Instant) -> Int64 {
        max(.min / 4, min(time.nanoseconds, .max / 4))
    }

    private mutating func depart(_ size: Int, _ tag: UInt8) {
        if tag & Link.lostTag != 0 {
            counters.droppedLoss.add(size)
        } else if tag & Link.outageTag != 0 {
            counters.droppedOutage.add(size)
        } else {
            counters.inFlight.add(size)
            if tag & Link.duplicateTag != 0 {
                counters.duplicated.add(size)
                counters.inFlight.add(size)
            }
        }
    }
}
