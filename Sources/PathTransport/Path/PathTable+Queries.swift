import PathTelemetry

/// Queries over all paths.
extension PathTable {
    /// The index of a path; nil when no path has that number.
    func index(of path: PathID) -> Int? {
        for index in indices where self[index].id == path { return index }
        return nil
    }

    /// The number for a new path: that of a removed path of the same name, whose counters it continues,
    /// else one that no path had yet, else that of any removed path.
    func freeNumber(for name: String) -> PathID? {
        var unused: PathID?
        var removed: PathID?
        for number in 0..<PathID.limit {
            guard let index = index(of: PathID(number)) else {
                unused = unused ?? PathID(number)
                continue
            }
            guard !self[index].isAlive else { continue }
            if self[index].name == name { return PathID(number) }
            removed = removed ?? PathID(number)
        }
        return unused ?? removed
    }

    // MARK: who may carry what

    /// Whether data may be given to the path: it works, its address is validated, and it is not
    /// held in reserve.
    ///
    /// Standby paths wait until no active path is left; a policy that is bound to one path never
    /// uses another.
    func takesData(_ index: Int) -> Bool {
        guard self[index].isUsable, self[index].validation.isValidated,
            boundPath == nil || boundPath == self[index].id
        else { return false }
        return self[index].state == .active || !hasActive
    }

    /// Whether an active, validated path exists.
    var hasActive: Bool {
        for index in indices
        where self[index].state == .active && self[index].validation.isValidated {
            return true
        }
        return false
    }

    /// The path on which lost stream data arrives first; nil to wait for the pacer of a faster one.
    ///
    /// Each path is judged by what it holds and has to send, over its rate. One without room would
    /// carry all of it, later; one with room a burst, now.
    ///
    /// - Parameters:
    ///   - bytes: all that has to be sent again.
    ///   - clock: compares the ways out of the paths.
    func repairPath(bytes: Int, clock: borrowing ClockOffset, now: Instant) -> Int? {
        var best: Int?
        var bestTime = Double.infinity
        var isBestFree = false
        for index in indices where takesData(index) {
            let room = self[index].room(now: now)
            // Whether a path without room still answers is not known before its next reply.
            if room == 0, self[index].isOverdue(now: now) { continue }
            let time = self[index].arrival(
                of: room > 0 ? min(bytes, room) : bytes, clock: clock, now: now)
            guard time < bestTime else { continue }
            bestTime = time
            best = index
            isBestFree = room > 0
        }
        return isBestFree ? best : nil
    }

    /// The most bytes that are taken as lost data.
    static let longestEnd = 4 << 20

    /// The fastest working path, which carries acknowledgements.
    ///
    /// If none works, a path that might.
    func ackPath(now: Instant) -> Int? {
        var best: Int?
        var bestScore = TimeDelta.infinite
        for index in indices {
            guard self[index].mayAcknowledge else { continue }
            var score = self[index].recovery.rtt.smoothed
            // A path that was heard from recently is better than one that was fast once.
            let age = now - (self[index].lastReceivedAt ?? .zero)
            if age > max(.milliseconds(50), score * Int64(2)) { score = score + age }
            // Packets sent there may not arrive.
            if let silence = self[index].silence(now: now), silence > self[index].silenceLimit {
                score = score + silence
            }
            switch self[index].state {
            case .active: break
            case .standby, .suspect: score = score + .seconds(10)
            default: score = score + .seconds(100)
            }
            if score < bestScore {
                bestScore = score
                best = index
            }
        }
        return best
    }

    /// The most bytes that one path would take now.
    ///
    /// A burst is not larger, so that its predicted time is that of the data sent.
    func largestRoom(now: Instant) -> Int {
        var most = 1
        for index in indices where self[index].isUsable {
            most = max(most, min(self[index].room(now: now), 65_536))
        }
        return most
    }

    /// Smoothed round trip of the fastest path in use; infinite without one.
    var fastestRTT: TimeDelta {
        var fastest = TimeDelta.infinite
        for index in indices where self[index].isUsable {
            fastest = min(fastest, self[index].recovery.rtt.smoothed)
        }
        return fastest
    }

    /// Whether a path in use has unacknowledged data.
    var hasDataInFlight: Bool {
        for index in indices where self[index].isUsable && self[index].recovery.bytesInFlight > 0 {
            return true
        }
        return false
    }

    // MARK: who answers

    func hasOtherUsable(than index: Int) -> Bool {
        for other in indices where other != index && self[other].isUsable { return true }
        return false
    }

    func othersAnswered(since start: Instant, than index: Int, now: Instant) -> Bool {
        for other in indices where other != index && self[other].isUsable {
            if self[other].answers(since: start, now: now) { return true }
        }
        return false
    }

    /// How long the answer to a packet may take, by the number of the path.
    var answerTimes: InlineArray<16, TimeDelta> {
        var times = InlineArray<16, TimeDelta>(repeating: .zero)
        for index in indices { times[self[index].id.index] = self[index].answerTime }
        return times
    }

    /// The longest time that an answer takes on a path that has answered before.
    var slowestAnswer: TimeDelta {
        var slowest = TimeDelta.zero
        for index in indices where self[index].isAlive && self[index].recovery.rtt.hasSample {
            slowest = max(slowest, self[index].answerTime)
        }
        return slowest
    }

    // MARK: when something is due

    /// When `watchSilence` may next have something to do.
    ///
    /// - Parameter hasNew: stream data waits that was not sent before.
    func silenceTimeout(hasNew: Bool, now: Instant) -> Instant {
        var earliest = Instant.distantFuture
        for index in indices {
            guard let start = self[index].silentSince else { continue }
            switch self[index].state {
            case .active, .standby:
                // A path past its limit while all are silent changes only after an acknowledgement
                // elsewhere or a long silence.
                let due =
                    self[index].onlyListens(now: now)
                    ? start + self[index].failureLimit : self[index].silenceDue ?? start
                earliest = min(
                    earliest, due > now ? due : start + self[index].failureLimit * Int64(2))
            case .suspect:
                // More of its data becomes overdue.
                let next = min(now + Path.replyPause, start + self[index].failureLimit)
                earliest = min(earliest, next)
            case .probing:
                earliest = min(
                    earliest, self[index].stateChangedAt + self[index].failureLimit)
            case .validating where self[index].trust == .given:
                earliest = min(earliest, start + patience(hasNew: hasNew))
            default: break
            }
        }
        // A limit that has passed but needs more evidence must not make the caller spin.
        return earliest > now ? earliest : now + Path.replyPause
    }

    /// When the first acknowledgement has to be sent, if a path can carry it.
    var acknowledgementTimeout: Instant {
        var next = Instant.distantFuture
        var mayAnswer = false
        for index in indices {
            next = min(next, self[index].received.ackDueAt)
            mayAnswer = mayAnswer || self[index].mayAcknowledge
        }
        return mayAnswer ? next : .distantFuture
    }

    /// When a pacer allows the next data; distant future when only windows block it.
    ///
    /// - Parameters:
    ///   - wantsToSend: there is data that any path may carry.
    ///   - tried: paths that could send then are left out, because their data waits for something
    ///     else.
    func departure(wantsToSend: Bool, after tried: Instant, now: Instant) -> Instant {
        var next = Instant.distantFuture
        for index in indices {
            guard
                wantsToSend && (takesData(index) || isTrusted(index))
                    || !self[index].copies.isEmpty && self[index].isUsable,
                self[index].hasWindow
            else { continue }
            let departure = self[index].recovery.pacer.nextDeparture(now: now, forBurst: true)
            // A caller that just found nothing to send need not be woken at once.
            next = min(next, departure > tried ? departure : tried + .milliseconds(10))
        }
        return next
    }

    /// When a silent path may be sent another message, if that is after `now`.
    func silentDeparture(after now: Instant) -> Instant {
        var next = Instant.distantFuture
        for index in indices {
            if let due = silentDeparture(index), due > now { next = min(next, due) }
        }
        return next
    }

    /// The policy keeps data back, so the rates of paths that could send are lower bounds.
    mutating func noteWait(now: Instant) {
        for index in indices where self[index].isUsable && self[index].room(now: now) > 0 {
            self[index].handleAppLimited()
        }
    }
}
