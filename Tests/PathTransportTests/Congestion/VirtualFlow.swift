@testable import PathTelemetry
@testable import PathTransport

/// How much data the application has.
enum Workload {
    case bulk
    /// This many bits per second, written every millisecond.
    case constant(bitsPerSecond: Double)
}

/// The behaviour of one flow, in intervals of 10 ms.
struct FlowRecord {
    static let interval = TimeDelta.milliseconds(10)
    var deliveredBytes: [Int]
    var rttSum: [Double]
    var rttCount: [Int]
    var sentPackets: [Int]
    var overflowDrops: [Int]
    var phases: [CongestionPhase?]
    var windows: [Int]
    var estimates: [Double]

    init(duration: TimeDelta) {
        let count = Int(duration.nanoseconds / FlowRecord.interval.nanoseconds) + 1
        deliveredBytes = Array(repeating: 0, count: count)
        rttSum = Array(repeating: 0, count: count)
        rttCount = deliveredBytes
        sentPackets = deliveredBytes
        overflowDrops = deliveredBytes
        phases = Array(repeating: nil, count: count)
        windows = deliveredBytes
        estimates = rttSum
    }

    func index(_ time: Instant) -> Int {
        min(Int(time.nanoseconds / FlowRecord.interval.nanoseconds), deliveredBytes.count - 1)
    }

    private func range(_ from: Double, _ to: Double) -> Range<Int> {
        let low = max(Int((from * 100).rounded()), 0)
        return low..<max(low, min(Int((to * 100).rounded()), deliveredBytes.count))
    }

    /// Mean delivered bits per second between two times in seconds.
    func goodput(_ from: Double, _ to: Double) -> Double {
        Double(deliveredBytes[range(from, to)].reduce(0, +)) * 8 / (to - from)
    }

    /// Mean round trip in seconds between two times.
    func meanRTT(_ from: Double, _ to: Double) -> Double {
        let count = rttCount[range(from, to)].reduce(0, +)
        return count == 0 ? 0 : rttSum[range(from, to)].reduce(0, +) / Double(count)
    }

    /// Share of packets that the queue dropped.
    func overflowShare(_ from: Double, _ to: Double) -> Double {
        let sent = sentPackets[range(from, to)].reduce(0, +)
        return Double(overflowDrops[range(from, to)].reduce(0, +)) / Double(max(sent, 1))
    }
}

/// One sender and one receiver over one link in virtual time, with the loss detection of RFC 9002.
///
/// Data is sent as long as window and pacer allow; nothing is retransmitted, since lost data would
/// only be sent again with a new number. The receiver acknowledges every `ackEvery` packets, at the
/// latest after a quarter of the round trip. A silence of two probe time-outs makes the path
/// failed: the controller hears `handleOutage`, data in flight is dropped, and a probe is sent
/// every 100 ms until one is answered.
struct VirtualFlow<Controller: CongestionController & ~Copyable>: ~Copyable {
    var controller: Controller
    let settings: LinkSettings
    var workload = Workload.bulk
    /// A time in which a bulk sender has only this much data.
    var quiet: (start: TimeDelta, end: TimeDelta, bitsPerSecond: Double)?
    var packetSize = 1_500
    var ackEvery = 2
    var usesReceiveTimestamps = true
    /// What the receiver's clock shows at time zero.
    var receiverClockOffset = TimeDelta.seconds(5)
    private(set) var record: FlowRecord
    private(set) var overflowDrops = 0
    private(set) var outages = 0

    private enum PacketStatus { case inFlight, acknowledged, lost, forgotten }
    private struct SentPacket {
        var sentTime: Instant
        var size: Int
        var state: DeliveryState
        var status: PacketStatus
    }

    private var link: BottleneckLink
    private var rtt = RTTEstimator()
    private var rate = DeliveryRateEstimator()
    private var pacer: Pacer
    private var sent: [SentPacket] = []
    private var oldest = 0
    private var largestAcked = -1
    private var bytesInFlight = 0
    private var lossTime = Instant.distantFuture
    private var lastAckTime = Instant.zero
    private var lastSentTime = Instant.zero
    private var isFailed = false
    private var nextProbe = Instant.distantFuture
    /// Bits per second that the application hands over; nil while it has data without end.
    private var suppliedRate: Double?
    private var available = 0.0
    private var nextSupply = Instant.distantFuture

    private var toReceiver = Fifo<(number: Int, time: Instant)>()
    private var arrivals: [(number: Int, time: Instant)] = []
    private var acknowledgedArrivals = 0
    private var nextExpected = 0
    private var ackTimer = Instant.distantFuture
    private var toSender = Fifo<(count: Int, time: Instant)>()
    private var processedArrivals = 0

    init(_ controller: consuming Controller, _ settings: LinkSettings, seed: UInt64 = 1) {
        let rate = controller.pacingRate
        self.controller = controller
        self.settings = settings
        link = BottleneckLink(settings, seed: seed)
        pacer = Pacer(rate: rate, maximumPacketSize: 1_500)
        record = FlowRecord(duration: .zero)
    }

    /// Runs for the given time.
    mutating func run(seconds: Double) {
        let end = Instant.zero + TimeDelta(seconds: seconds)
        record = FlowRecord(duration: TimeDelta(seconds: seconds))
        nextSupply = .zero
        var now = Instant.zero
        while now < end {
            send(now)
            var next = min(end, senderTimer(now))
            if let time = link.serviceEnd { next = min(next, time) }
            if let item = toReceiver.first { next = min(next, item.time) }
            if let item = toSender.first { next = min(next, item.time) }
            next = min(next, ackTimer)
            now = max(now, next)
            step(now)
        }
    }

    private mutating func step(_ now: Instant) {
        while let time = link.serviceEnd, time <= now {
            if let (number, arrival) = link.finishService(time) {
                toReceiver.append((number, arrival))
            }
        }
        while let item = toReceiver.first, item.time <= now {
            _ = toReceiver.popFirst()
            receive(item.number, now: item.time)
        }
        if ackTimer <= now { sendAck(now) }
        while let item = toSender.first, item.time <= now {
            _ = toSender.popFirst()
            handleAck(upTo: item.count, now: item.time)
        }
        if lossTime <= now { detectLosses(now) }
        let slot = record.index(now)
        record.phases[slot] = controller.phase
        record.windows[slot] = controller.congestionWindow
        record.estimates[slot] = controller.bandwidthEstimate
    }

    // MARK: Receiver

    private mutating func receive(_ number: Int, now: Instant) {
        record.deliveredBytes[record.index(now)] += sent[number].size
        let isGap = number != nextExpected
        nextExpected = max(nextExpected, number + 1)
        arrivals.append((number, now))
        if isGap || arrivals.count - acknowledgedArrivals >= ackEvery {
            sendAck(now)
        } else if ackTimer == .distantFuture {
            ackTimer = now + min(rtt.smoothed / 4, .milliseconds(25))
        }
    }

    private mutating func sendAck(_ now: Instant) {
        ackTimer = .distantFuture
        acknowledgedArrivals = arrivals.count
        if settings.isDown(at: now) { return }
        let time = now + settings.roundTrip / 2 + link.ackDelay()
        toSender.insert((arrivals.count, time)) { $0.time > $1.time }
    }

    // MARK: Sender

    private func senderTimer(_ now: Instant) -> Instant {
        var next = min(lossTime, nextSupply)
        if isFailed { return min(next, nextProbe) }
        let canSend = bytesInFlight + packetSize <= controller.congestionWindow
        if canSend && hasData { next = min(next, pacer.nextDeparture(now: now, forBurst: true)) }
        if bytesInFlight > 0 { next = min(next, silenceEnd) }
        return next
    }

    private var silenceEnd: Instant {
        let timeout = rtt.probeTimeout(maxAckDelay: .milliseconds(25)) * Int64(2)
        return max(lastAckTime, sent[min(oldest, sent.count - 1)].sentTime) + timeout
    }

    private var hasData: Bool { suppliedRate == nil || available >= Double(packetSize) }

    private mutating func supply(_ now: Instant) {
        if case .constant(let bits) = workload {
            suppliedRate = bits
        } else if let quiet {
            let time = now - Instant.zero
            suppliedRate = time >= quiet.start && time < quiet.end ? quiet.bitsPerSecond : nil
        }
        guard let bits = suppliedRate else {
            nextSupply = quiet == nil ? .distantFuture : now + .milliseconds(1)
            return
        }
        while nextSupply <= now {
            available += bits / 8_000
            nextSupply = nextSupply + .milliseconds(1)
        }
    }

    private mutating func send(_ now: Instant) {
        supply(now)
        if isFailed {
            if nextProbe <= now {
                nextProbe = now + .milliseconds(100)
                sendPacket(now)
            }
            return
        }
        if bytesInFlight > 0 && rtt.hasSample && silenceEnd <= now {
            declareFailed(now)
            return
        }
        while hasData, bytesInFlight + packetSize <= controller.congestionWindow,
            pacer.budget(now: now) > 0
        {
            sendPacket(now)
            if suppliedRate != nil { available -= Double(packetSize) }
        }
        if !hasData && bytesInFlight + packetSize <= controller.congestionWindow {
            rate.handleAppLimited(bytesInFlight: bytesInFlight)
        }
    }

    private mutating func sendPacket(_ now: Instant) {
        let number = sent.count
        let state = rate.handleSent(bytes: packetSize, bytesInFlight: bytesInFlight, now: now)
        controller.handleSent(
            now: now, bytes: packetSize, packetNumber: UInt64(number),
            bytesInFlight: bytesInFlight)
        pacer.handleSent(bytes: packetSize, now: now)
        sent.append(
            SentPacket(sentTime: now, size: packetSize, state: state, status: .inFlight))
        bytesInFlight += packetSize
        lastSentTime = now
        let before = link.overflowDrops
        link.enqueue(number: number, size: packetSize, now: now)
        record.sentPackets[record.index(now)] += 1
        record.overflowDrops[record.index(now)] += link.overflowDrops - before
        overflowDrops = link.overflowDrops
    }

    private mutating func declareFailed(_ now: Instant) {
        isFailed = true
        outages += 1
        controller.handleOutage(now: now)
        for number in oldest..<sent.count where sent[number].status == .inFlight {
            sent[number].status = .forgotten
        }
        oldest = sent.count
        bytesInFlight = 0
        lossTime = .distantFuture
        nextProbe = now + .milliseconds(100)
    }

    private mutating func handleAck(upTo count: Int, now: Instant) {
        guard count > processedArrivals else { return }
        let prior = bytesInFlight
        var largest = -1
        var ackedBytes = 0
        for index in processedArrivals..<count {
            let (number, arrival) = arrivals[index]
            let packet = sent[number]
            guard packet.status == .inFlight || packet.status == .lost else { continue }
            if packet.status == .inFlight { bytesInFlight -= packet.size }
            sent[number].status = .acknowledged
            ackedBytes += packet.size
            largest = max(largest, number)
            let stamp = usesReceiveTimestamps ? arrival + receiverClockOffset : nil
            rate.handleAcked(
                packet.state, sentTime: packet.sentTime, bytes: packet.size, now: now,
                receivedTime: stamp)
        }
        processedArrivals = count
        lastAckTime = now
        guard largest >= 0 else { return }
        var sample: TimeDelta?
        if largest > largestAcked {
            largestAcked = largest
            let time = now - sent[largest].sentTime
            sample = time
            rtt.update(sample: time, now: now)
            record.rttSum[record.index(now)] += time.seconds
            record.rttCount[record.index(now)] += 1
        }
        if isFailed {
            isFailed = false
            nextProbe = .distantFuture
            controller.handleRestored(now: now)
        }
        let lossEvent = detectLosses(now, reports: false)
        let rateSample = rate.takeSample(now: now, minimumRTT: rtt.minimum)
        if let lossEvent { controller.handleLoss(lossEvent) }
        controller.handleAck(
            AckEvent(
                now: now, ackedBytes: ackedBytes, largestAcked: UInt64(largest),
                largestSent: UInt64(sent.count - 1), bytesInFlight: bytesInFlight,
                priorBytesInFlight: prior, latestRTT: sample, smoothedRTT: rtt.smoothed,
                minimumRTT: rtt.minimum, rateSample: rateSample, isAppLimited: rate.isAppLimited))
        pacer.update(
            rate: controller.pacingRate, maximumPacketSize: packetSize, now: now)
    }

    /// RFC 9002, section 6.1.
    @discardableResult
    private mutating func detectLosses(_ now: Instant, reports: Bool = true) -> LossEvent? {
        lossTime = .distantFuture
        var event: LossEvent?
        var number = oldest
        while number < largestAcked {
            let packet = sent[number]
            if packet.status == .inFlight {
                let deadline = packet.sentTime + rtt.lossDelay
                if largestAcked - number >= 3 || deadline <= now {
                    sent[number].status = .lost
                    bytesInFlight -= packet.size
                    rate.handleLost(bytes: packet.size)
                    if event == nil {
                        event = LossEvent(
                            now: now, lostBytes: 0, lostPackets: 0, largestLost: 0,
                            largestSent: UInt64(sent.count - 1), bytesInFlight: 0,
                            isPersistentCongestion: false)
                    }
                    event?.lostBytes += packet.size
                    event?.lostPackets += 1
                    event?.largestLost = UInt64(number)
                } else {
                    lossTime = min(lossTime, deadline)
                }
            }
            number += 1
        }
        while oldest < sent.count && sent[oldest].status != .inFlight { oldest += 1 }
        event?.bytesInFlight = bytesInFlight
        if reports, let event {
            controller.handleLoss(event)
            pacer.update(
                rate: controller.pacingRate, maximumPacketSize: packetSize, now: now)
        }
        return event
    }
}
