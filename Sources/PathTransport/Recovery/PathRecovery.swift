import PathTelemetry

/// Is told the fate of sent frames; the session of a connection implements it.
protocol SentFrameSink: ~Copyable {
    /// A packet arrived. `receiveTime` is the receiver's stamp, microseconds of its clock.
    mutating func handleAcknowledged(
        _ packet: SentPacket, path: PathID, receiveTime: UInt64?, now: Instant)
    /// A packet was declared lost, or its data is queued on another path before its fate is known.
    mutating func handleLost(_ packet: SentPacket, path: PathID, isCertain: Bool, now: Instant)
}

/// What one acknowledgement revealed.
struct AckResult {
    var ackedPackets = 0
    var ackedBytes = 0
    /// Size of the largest packet that arrived.
    var largestArrived = 0
    /// Size of the smallest packet that was lost and was no MTU probe.
    var smallestLost = Int.max
    /// Packets acknowledged after they had been declared lost.
    var spuriousLosses = 0
    var lostPackets = 0
    var lostBytes = 0
    /// Length of the longest run of lost packets.
    var longestLossRun = 0
    /// Round trip of the largest newly acknowledged packet, when it was ack-eliciting.
    var rttSample: TimeDelta?
    /// For how long the receiver held back the acknowledgement of that packet, as it says.
    var ackDelay = TimeDelta.zero
    /// Round trip of the oldest newly acknowledged packet that others had overtaken.
    var overtakenRTT: TimeDelta?
    /// Send time and receiver's stamp of the largest.
    var largestSentAt: Instant?
    var largestReceiveTime: UInt64?
    /// Raw one-way delay of that packet: it contains the offset of the two clocks.
    var rawDelay: TimeDelta? {
        guard let time = largestReceiveTime, let sent = largestSentAt else { return nil }
        return Instant(nanoseconds: Int64(truncatingIfNeeded: time &* 1000)) - sent
    }
    /// Bytes of packets that waited behind others in the queue of the path, and the time from the
    /// arrival before each of them to its own.
    var queuedBytes = 0
    var queuedTime = TimeDelta.zero
    var deliveryRate = 0.0
    var isRateAppLimited = false
    var mtuProbeAcknowledged: Int?
    var mtuProbeLost: Int?
}

/// Loss detection, round-trip times, congestion control and pacing of one path: RFC 9002 with one
/// packet-number space per path.
struct PathRecovery: ~Copyable {
    private let pin = Pin()
    let path: PathID
    var packets = SentPacketRing()
    var rtt = RTTEstimator()
    private(set) var rhythm = AnswerRhythm()
    var rate = DeliveryRateEstimator()
    var controller: Controller
    var pacer: Pacer
    private(set) var bytesInFlight = 0
    private(set) var largestAcked: UInt64?
    /// The largest packet number in all acknowledgements before the present one.
    private var largestReported: UInt64?
    /// Packets below it that the peer had not received then.
    private var missing: UInt64 = 0
    /// Packets above it that were given up, and the last of them.
    private var writtenOff: UInt64 = 0
    private var lastWrittenOff: UInt64 = 0
    /// Packets that the system refused to send, which the peer misses too.
    private var unsent: UInt64 = 0
    private(set) var largestAckedSentAt = Instant.zero
    /// Consecutive probe time-outs.
    private(set) var probeTimeouts = 0
    private(set) var lastElicitingSentAt: Instant?
    /// Ack-eliciting packets in flight.
    private(set) var elicitingInFlight = 0
    private var lossTime = Instant.distantFuture
    private var tolerance = ReorderingTolerance()
    /// Packets below this number are not in flight.
    private var firstInFlight: UInt64 = 0
    /// Packets sent before are no samples of round trip and rate: this host stood still meanwhile.
    private var sampledSince = Instant.zero
    /// Longest time by which the peer delays an acknowledgement.
    var peerAckDelay = TimeDelta.milliseconds(5)
    /// The least raw one-way delay of late; nil before a sample.
    var leastRawDelay: TimeDelta?
    /// The latest arrival, on the receiver's clock.
    private var latestArrival: Instant?
    private var maximumPacketSize: Int
    /// Bytes in one round trip below which a capacity is not worth saving.
    private let leastCapacity: Int
    /// The user's limit, bytes per second.
    private(set) var rateLimit: Double

    init(
        path: PathID, configuration: CongestionConfiguration, algorithm: CongestionAlgorithm,
        rateLimit: Double = .infinity
    ) {
        self.path = path
        self.rateLimit = rateLimit
        controller = Controller(algorithm, configuration)
        pacer = Pacer(
            rate: min(controller.pacingRate, rateLimit),
            maximumPacketSize: configuration.maximumPacketSize)
        maximumPacketSize = configuration.maximumPacketSize
        leastCapacity = CarefulResume.leastWindows * configuration.initialWindow
    }

    /// Changes the user's limit from the next packet on.
    mutating func setRateLimit(_ limit: Double, now: Instant) {
        rateLimit = limit
        updatePacer(now)
    }

    // MARK: read

    /// The controller's rate within the user's limit, bytes per second.
    var pacingRate: Double { min(controller.pacingRate, rateLimit) }
    /// Bytes that are free in the congestion window.
    var windowRoom: Int { max(0, controller.congestionWindow - bytesInFlight) }

    /// What the path carries, for a later connection, and whether this one has measured it; nil if
    /// the other need not know it.
    ///
    /// A connection that had little to send leaves what it was given.
    var capacity: (saved: SavedCapacity, isMeasured: Bool)? {
        let bytes = rtt.hasSample ? controller.provenRate * rtt.minimum.seconds : 0
        if let earlier = controller.earlierCapacity, Double(earlier.bytes) >= bytes {
            return (earlier, false)
        }
        guard bytes >= Double(leastCapacity), bytes < Double(CongestionLimits.maximumWindow) else {
            return nil
        }
        return (SavedCapacity(bytes: Int(bytes), roundTrip: rtt.minimum), true)
    }

    /// Packets that did not arrive: those that the peer misses, and those given up since.
    ///
    /// What others overtook counts until it arrives.
    var lostPackets: UInt64 {
        let all = missing &+ writtenOff
        return all - min(all, unsent)
    }

    /// Send time of the oldest ack-eliciting packet without an answer.
    ///
    /// MTU probes do not count: one that is too large for the path is never answered.
    var oldestUnanswered: Instant? { unanswered(from: packets.first) }

    /// Send time of the oldest such packet above the largest acknowledged one; those below may be lost.
    var firstUnanswered: Instant? { unanswered(from: largestAcked.map { $0 + 1 } ?? 0) }

    private func unanswered(from start: UInt64) -> Instant? {
        guard elicitingInFlight > 0 else { return nil }
        var number = max(start, firstInFlight, packets.first)
        while number < packets.next {
            let packet = packets[number]
            if packet.state == .inFlight, packet.isAckEliciting, !packet.isMTUProbe {
                return packet.sentAt
            }
            number += 1
        }
        return nil
    }

    /// The probe time-out with its back-off, RFC 9002 section 6.2.1.
    var probeTimeoutInterval: TimeDelta {
        let base = rtt.probeTimeout(maxAckDelay: peerAckDelay)
        return min(base * (Int64(1) << Int64(min(probeTimeouts, 6))), .seconds(2))
    }

    /// The earlier of the time-threshold loss timer and the probe time-out.
    var timeout: Instant {
        if lossTime != .distantFuture { return lossTime }
        guard elicitingInFlight > 0, let last = lastElicitingSentAt else { return .distantFuture }
        return last + probeTimeoutInterval
    }

    // MARK: handle

    /// Records a packet that is sent now with the number `packets.next`.
    mutating func handleSent(_ sent: SentPacket, now: Instant) {
        var packet = sent
        let bytes = Int(packet.bytes)
        if packet.isAckEliciting {
            packet.delivery = rate.handleSent(bytes: bytes, bytesInFlight: bytesInFlight, now: now)
            controller.handleSent(
                now: now, bytes: bytes, packetNumber: packets.next, bytesInFlight: bytesInFlight)
            bytesInFlight += bytes
            elicitingInFlight += 1
            lastElicitingSentAt = now
        } else {
            // The packet is neither acknowledged by itself nor declared lost, so it is not kept.
            packet.state = .forgotten
        }
        // Acknowledgements are not paced (RFC 9002, section 7.7).
        if packet.isAckEliciting { pacer.handleSent(bytes: bytes, now: now) }
        if packets.isEmpty { firstInFlight = packets.next }
        // A side that only acknowledges gets few acknowledgements: drop settled packets before
        // growing.
        if packets.needsGrowth { packets.dropSettled(lostBefore: now - lostPacketLife) }
        packets.append(packet)
    }

    /// How long after its departure a lost packet is kept, so that a late acknowledgement of it is
    /// recognised.
    private var lostPacketLife: TimeDelta { tolerance.lossDelay(rtt) * Int64(2) }

    /// Takes an acknowledgement of this path.
    ///
    /// Returns nil when it acknowledges packets that were never sent.
    mutating func handleAck<Sink: SentFrameSink & ~Copyable>(
        _ frame: borrowing AckFrame, now: Instant, isAppLimited: Bool, sink: inout Sink
    ) -> AckResult? {
        guard frame.largest < packets.next else { return nil }
        var result = AckResult()
        let priorInFlight = bytesInFlight
        let reported = largestReported
        var largestNew: UInt64?
        var oldestOvertaken: UInt64?
        for index in 0..<frame.rangeCount {
            let range = frame.range(index)
            var number = max(range.first, packets.first)
            while number <= range.last, number < packets.next {
                let state = packets[number].state
                if state == .inFlight {
                    acknowledge(number, frame, now, &result, &sink)
                    largestNew = max(largestNew ?? 0, number)
                } else if state == .lost {
                    acknowledgeLate(number, frame, now, &result, &sink)
                }
                if let reported, number < reported, state == .inFlight || state == .lost {
                    oldestOvertaken = min(oldestOvertaken ?? .max, number)
                    tolerance.handleOvertaken(
                        distance: reported - number, wasLost: state == .lost,
                        age: now - packets[number].sentAt, now: now)
                }
                number += 1
            }
        }
        var received: UInt64?
        if let largestNew { received = receiveTime(of: largestNew, frame) }
        noteMissing(frame)
        largestReported = max(largestReported ?? 0, frame.largest)
        if let oldestOvertaken { sampleOvertaken(oldestOvertaken, now, &result) }
        guard let largestNew else {
            if result.spuriousLosses > 0 { updatePacer(now) }
            return result
        }
        sample(largestNew, frame, received, now, &result)
        probeTimeouts = 0
        detectLosses(now: now, result: &result, sink: &sink)
        let sample = rate.takeSample(now: now, minimumRTT: rtt.minimum)
        result.deliveryRate = sample.rate
        result.isRateAppLimited = sample.isAppLimited
        controller.handleAck(
            AckEvent(
                now: now, ackedBytes: result.ackedBytes, largestAcked: largestNew,
                largestSent: packets.next &- 1, bytesInFlight: bytesInFlight,
                priorBytesInFlight: priorInFlight, latestRTT: result.rttSample,
                overtakenRTT: result.overtakenRTT,
                smoothedRTT: rtt.smoothed, minimumRTT: rtt.minimum, rateSample: sample,
                isAppLimited: isAppLimited))
        updatePacer(now)
        packets.dropSettled(lostBefore: now - lostPacketLife)
        packets.shrink(now: now)
        firstInFlight = max(firstInFlight, packets.first)
        return result
    }

    /// Takes packets that never left: they do not count as lost.
    mutating func noteUnsent(packets: UInt64) { unsent &+= packets }

    /// Takes the number of packets that the peer misses; a frame that others overtook says nothing new.
    private mutating func noteMissing(_ frame: borrowing AckFrame) {
        if let largestReported, frame.largest < largestReported { return }
        missing = frame.missing
        guard writtenOff > 0 else { return }
        // What was written off below the largest is now among those that the peer misses, or arrived.
        writtenOff = min(writtenOff, lastWrittenOff - min(lastWrittenOff, frame.largest))
    }

    /// Takes the round trip of the largest newly acknowledged packet, if none above was known.
    private mutating func sample(
        _ number: UInt64, _ frame: borrowing AckFrame, _ received: UInt64?, _ now: Instant,
        _ result: inout AckResult
    ) {
        guard number >= largestAcked ?? 0 else { return }
        let sentAt = packets[number].sentAt
        largestAcked = number
        largestAckedSentAt = sentAt
        result.largestSentAt = sentAt
        result.largestReceiveTime = received
        guard sentAt >= sampledSince else { return }
        // The delay counts from the arrival of this packet, which may differ from that of the
        // largest.
        var delay = frame.delay
        if let received, let sent = frame.sendTime, sent >= received {
            delay = .microseconds(Int64(clamping: sent - received))
        }
        rtt.update(sample: now - sentAt, ackDelay: delay, maxAckDelay: peerAckDelay, now: now)
        result.rttSample = now - sentAt
        result.ackDelay = delay
        if !packets[number].isMTUProbe {
            rhythm.handle(now - sentAt - min(delay, peerAckDelay), now: now)
        }
    }

    /// Takes the round trip of a packet that others overtook; it was acknowledged at once.
    ///
    /// RFC 9002, 5.1 samples only the largest, so under reordering only those that overtake: a mean
    /// far below the true one, with too little variation.
    private mutating func sampleOvertaken(
        _ number: UInt64, _ now: Instant, _ result: inout AckResult
    ) {
        guard packets[number].sentAt >= sampledSince else { return }
        let sample = now - packets[number].sentAt
        rtt.updateMean(sample: sample, now: now)
        result.overtakenRTT = sample
    }

    /// Arrival time of a packet that is acknowledged for the first time, microseconds of the
    /// receiver's clock.
    ///
    /// A packet below an earlier reported one was overtaken and has no stamp of its own: it came
    /// just before the acknowledgement, which is sent at once for an out-of-order packet.
    private func receiveTime(of number: UInt64, _ frame: borrowing AckFrame) -> UInt64? {
        if let largestReported, number < largestReported { return frame.sendTime }
        return frame.receiveTime(of: number)
    }

    private mutating func updatePacer(_ now: Instant) {
        pacer.update(rate: pacingRate, maximumPacketSize: maximumPacketSize, now: now)
    }

    /// Continues the packet numbers of a removed path, whose packets are all settled.
    mutating func continueNumbers(of earlier: borrowing PathRecovery) {
        packets = earlier.packets
        firstInFlight = packets.next
        peerAckDelay = earlier.peerAckDelay
        (missing, unsent) = (earlier.missing, earlier.unsent)
        (writtenOff, lastWrittenOff) = (earlier.writtenOff, earlier.lastWrittenOff)
    }

    private mutating func acknowledge<Sink: SentFrameSink & ~Copyable>(
        _ number: UInt64, _ frame: borrowing AckFrame, _ now: Instant, _ result: inout AckResult,
        _ sink: inout Sink
    ) {
        packets[number].state = .acknowledged
        let packet = packets[number]
        let bytes = Int(packet.bytes)
        bytesInFlight -= bytes
        elicitingInFlight -= 1
        result.ackedPackets += 1
        result.ackedBytes += bytes
        result.largestArrived = max(result.largestArrived, bytes)
        if packet.isMTUProbe { result.mtuProbeAcknowledged = bytes }
        let received = receiveTime(of: number, frame)
        if let received { noteArrival(packet.sentAt, received, bytes, &result) }
        if packet.isBare || packet.sentAt < sampledSince {
            rate.handleBareAcked(bytes: bytes)
        } else {
            rate.handleAcked(
                packet.delivery, sentTime: packet.sentAt, bytes: bytes, now: now,
                receivedTime: received.map {
                    Instant(nanoseconds: Int64(truncatingIfNeeded: $0 &* 1000))
                })
        }
        sink.handleAcknowledged(packet, path: frame.path, receiveTime: received, now: now)
    }

    /// Counts a packet that was in the queue of the path when the one before it arrived.
    private mutating func noteArrival(
        _ sentAt: Instant, _ received: UInt64, _ bytes: Int, _ result: inout AckResult
    ) {
        let arrival = Instant(nanoseconds: Int64(truncatingIfNeeded: received &* 1000))
        guard let latest = latestArrival, arrival - latest < .seconds(2),
            latest - arrival < .seconds(2)
        else {
            latestArrival = arrival
            return
        }
        if let leastRawDelay, sentAt + leastRawDelay <= latest {
            result.queuedBytes += bytes
            result.queuedTime = result.queuedTime + max(.zero, arrival - latest)
        }
        latestArrival = max(latest, arrival)
    }

    /// Takes a packet that was declared lost and arrived after all.
    private mutating func acknowledgeLate<Sink: SentFrameSink & ~Copyable>(
        _ number: UInt64, _ frame: borrowing AckFrame, _ now: Instant, _ result: inout AckResult,
        _ sink: inout Sink
    ) {
        packets[number].state = .acknowledged
        let packet = packets[number]
        result.spuriousLosses += 1
        result.largestArrived = max(result.largestArrived, Int(packet.bytes))
        if !packet.isMTUProbe {
            rate.handleSpuriousLoss(bytes: Int(packet.bytes))
            controller.handleSpuriousLoss(
                SpuriousLoss(now: now, number: number, bytes: Int(packet.bytes)))
        }
        sink.handleAcknowledged(
            packet, path: frame.path, receiveTime: receiveTime(of: number, frame), now: now)
    }

    /// Detects losses by packet threshold and by time threshold (RFC 9002, section 6.1).
    private mutating func detectLosses<Sink: SentFrameSink & ~Copyable>(
        now: Instant, result: inout AckResult, sink: inout Sink
    ) {
        lossTime = .distantFuture
        guard let largestAcked else { return }
        tolerance.forget(now: now)
        let delay = tolerance.lossDelay(rtt)
        let packetThreshold = tolerance.packetThreshold
        let cutoff = now - delay
        var event = LossEvent(
            now: now, lostBytes: 0, lostPackets: 0, smallestLost: .max, largestLost: 0,
            largestSent: packets.next &- 1, bytesInFlight: 0, isPersistentCongestion: false)
        var run = 0
        var runStart = Instant.zero
        let persistentPeriod = rtt.probeTimeout(maxAckDelay: peerAckDelay) * Int64(3)
        var number = max(firstInFlight, packets.first)
        var isPrefixSettled = true
        while number < largestAcked {
            let state = packets[number].state
            if state != .inFlight {
                if state != .forgotten { run = 0 }
                if isPrefixSettled { firstInFlight = number + 1 }
                number += 1
                continue
            }
            let sentAt = packets[number].sentAt
            guard sentAt <= cutoff || largestAcked - number >= packetThreshold else {
                lossTime = min(lossTime, sentAt + delay)
                isPrefixSettled = false
                run = 0
                number += 1
                continue
            }
            let bytes = Int(packets[number].bytes)
            if !packets[number].isMTUProbe {
                run += 1
                if run == 1 { runStart = sentAt }
                result.longestLossRun = max(result.longestLossRun, run)
                event.longestRun = max(event.longestRun, sentAt - runStart)
                if rtt.hasSample, sentAt - runStart > persistentPeriod {
                    event.isPersistentCongestion = true
                }
                event.lostBytes += bytes
                event.lostPackets += 1
                event.smallestLost = min(event.smallestLost, number)
                event.largestLost = number
            }
            lose(number, now, &result, &sink)
            if isPrefixSettled { firstInFlight = number + 1 }
            number += 1
        }
        guard event.lostPackets > 0 else { return }
        result.lostPackets += event.lostPackets
        result.lostBytes += event.lostBytes
        event.bytesInFlight = bytesInFlight
        controller.handleLoss(event)
    }

    private mutating func lose<Sink: SentFrameSink & ~Copyable>(
        _ number: UInt64, _ now: Instant, _ result: inout AckResult, _ sink: inout Sink
    ) {
        packets[number].state = .lost
        let packet = packets[number]
        let bytes = Int(packet.bytes)
        bytesInFlight -= bytes
        if packet.isAckEliciting { elicitingInFlight -= 1 }
        if packet.isMTUProbe {
            result.mtuProbeLost = bytes
        } else {
            result.smallestLost = min(result.smallestLost, bytes)
            rate.handleLost(bytes: bytes)
        }
        sink.handleLost(packet, path: path, isCertain: true, now: now)
        packets[number].isByBytes = true
    }

    /// Handles the expiry of the loss timer or of the probe time-out.
    ///
    /// Returns true for the latter; the caller then sends a probe (RFC 9002, section 6.2.4).
    mutating func handleTimeout<Sink: SentFrameSink & ~Copyable>(
        now: Instant, result: inout AckResult, sink: inout Sink
    ) -> Bool {
        guard timeout <= now else { return false }
        if lossTime <= now {
            detectLosses(now: now, result: &result, sink: &sink)
            updatePacer(now)
            return false
        }
        probeTimeouts += 1
        // The next time-out counts from now, even while nothing can be sent.
        lastElicitingSentAt = now
        return true
    }

    /// Passes the data of every unacknowledged packet sent by `cutoff` to the sink, and keeps the
    /// packets in flight.
    ///
    /// - Parameter sparesMessages: whether packets with messages are left out, which follow one by one
    ///   where another path delivers them sooner.
    mutating func reinject<Sink: SentFrameSink & ~Copyable>(
        now: Instant, sentBy cutoff: Instant = .distantFuture, sparesMessages: Bool = false,
        sink: inout Sink
    ) {
        var number = max(firstInFlight, packets.first)
        while number < packets.next, packets[number].sentAt <= cutoff {
            if packets[number].state == .inFlight, !packets[number].isReinjected,
                !sparesMessages || !packets[number].hasMessages
            {
                packets[number].isReinjected = true
                sink.handleLost(packets[number], path: path, isCertain: false, now: now)
                packets[number].isByBytes = true
            }
            number += 1
        }
    }

    /// Settles every packet in flight as lost, as an outage and not as congestion.
    mutating func handleFailed<Sink: SentFrameSink & ~Copyable>(now: Instant, sink: inout Sink) {
        settle(now: now, sink: &sink)
        controller.handleOutage(now: now)
        updatePacer(now)
    }

    /// Declares everything in flight lost, on a path that is only probed.
    mutating func settle<Sink: SentFrameSink & ~Copyable>(now: Instant, sink: inout Sink) {
        var result = AckResult()
        var number = max(firstInFlight, packets.first)
        while number < packets.next {
            if packets[number].state == .inFlight {
                lose(number, now, &result, &sink)
                if largestReported.map({ number > $0 }) ?? true {
                    writtenOff += 1
                    lastWrittenOff = number
                }
            }
            number += 1
        }
        firstInFlight = packets.next
        lossTime = .distantFuture
    }

    /// This host stood still until now.
    mutating func handleStall(now: Instant) {
        sampledSince = now
        rate.handleStall(now: now)
    }

    mutating func handleRestored(now: Instant) {
        probeTimeouts = 0
        controller.handleRestored(now: now)
        updatePacer(now)
    }

    mutating func handleMaximumPacketSize(_ bytes: Int, now: Instant) {
        maximumPacketSize = bytes
        controller.handleMaximumPacketSize(bytes)
        updatePacer(now)
    }
}
