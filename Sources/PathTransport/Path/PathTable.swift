import PathTelemetry

/// The paths of a connection, each used in place.
///
/// A path is several kilobytes. An array would copy it for every getter; this table lends its
/// elements, which are not copyable.
struct PathTable: ~Copyable {
    private let base: UnsafeMutablePointer<Path>
    private(set) var count = 0
    /// The only path that may carry data, if the policy is bound to one.
    var boundPath: PathID?
    /// The path on which the acknowledgements that were just sent are sent again.
    var ackTwin: Int?
    /// The path in doubt then, whose latest acknowledgement is repeated on the other.
    var repeatedAck: Int?
    /// When old evidence is next discounted.
    var nextFadingAt = Instant.zero

    init(boundPath: PathID?) {
        self.boundPath = boundPath
        base = .allocate(capacity: PathID.limit)
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    var isEmpty: Bool { count == 0 }
    var indices: Range<Int> { 0..<count }

    subscript(index: Int) -> Path {
        @inline(__always)
        unsafeAddress {
            precondition(index >= 0 && index < count, "no such path")
            return UnsafePointer(base + index)
        }
        @inline(__always)
        unsafeMutableAddress {
            precondition(index >= 0 && index < count, "no such path")
            return base + index
        }
    }

    /// Adds a path; there are never more than `PathID.limit`.
    mutating func append(_ path: consuming Path) {
        precondition(count < PathID.limit, "more paths than there are numbers")
        (base + count).initialize(to: path)
        count += 1
    }
}

/// Updates of all paths.
extension PathTable {
    /// Gives an acknowledged packet to the estimate of the clock offset.
    ///
    /// If one of the two clocks has jumped, for example because a host slept, all estimates of
    /// one-way delays are discarded first; the old ones would make every delay wrong by minutes.
    ///
    /// - Parameter isSamePath: whether the acknowledgement came back on the packet's path.
    /// - Returns: whether one has jumped.
    mutating func updateClock(
        _ clock: inout ClockOffset, _ result: AckResult, isSamePath: Bool, now: Instant
    ) -> Bool {
        guard let rtt = result.rttSample, let raw = result.rawDelay else { return false }
        let hasJumped = clock.isContradicted(byRaw: raw, rtt: rtt)
        if hasJumped {
            clock = ClockOffset()
            for index in indices { self[index].estimator.forgetOneWayDelays() }
        }
        clock.handleSample(
            raw: raw, roundTrip: rtt - result.ackDelay, isSamePath: isSamePath, now: now)
        return hasJumped
    }

    /// Discounts old evidence before it is read.
    ///
    /// The times follow from the decisions alone, so that observing a run does not change it.
    mutating func fadeEvidence(now: Instant) {
        guard now >= nextFadingAt else { return }
        nextFadingAt = now + .milliseconds(100)
        for index in indices where self[index].isAlive { self[index].estimator.tick(now) }
    }

    /// Notes that window and pacer allow more than there is to send, so that rate samples are lower
    /// bounds.
    mutating func handleAppLimited() {
        for index in indices where self[index].isUsable {
            self[index].handleAppLimited()
        }
    }
}

// Only the table owns the memory, so it may move to another thread.
extension PathTable: @unchecked Sendable {}
