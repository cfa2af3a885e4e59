import PathTelemetry

/// Whether a client sends data on a path that has not answered yet.
///
/// After the handshake the server is known to work, and most likely so do its other paths. A path
/// that carries data at once carries it a round trip sooner than one that answers a challenge first.
/// At most the initial window is at stake. An acknowledgement of it is an answer; without one in time
/// it is sent again elsewhere, at the latest when nothing else is left to send.
enum PathTrust {
    /// The path takes data only after it has answered.
    case none
    /// The path takes data.
    case given
    /// The path did not answer in time.
    case lost
}

extension PathTable {
    /// The least time within which a path has to answer while there is other data to send.
    private static let longestPatience = TimeDelta.milliseconds(150)

    /// The handshake was answered on a path: the others take data until they fail to answer.
    ///
    /// Those in reserve and those with a price do not.
    mutating func begin(answeredOn index: Int, _ peer: borrowing TransportParameters) {
        for other in indices {
            self[other].recovery.peerAckDelay = peer.maximumAckDelay
            let isNew = other != index && self[other].state == .validating
            if isNew, !self[other].isReserve { self[other].trust = .given }
        }
    }

    /// Whether a path without an answer takes stream data.
    func isTrusted(_ index: Int) -> Bool {
        self[index].trust == .given && self[index].state == .validating
            && (boundPath == nil || boundPath == self[index].id)
    }

    /// The first path without an answer that takes stream data and has room.
    func trustedPath(now: Instant) -> Int? {
        for index in indices where isTrusted(index) && self[index].room(now: now) > 0 {
            return index
        }
        return nil
    }

    /// How long a path may take to answer before its data is sent again elsewhere.
    ///
    /// - Parameter hasNew: other data waits, so that paths which answer are busy.
    func patience(hasNew: Bool) -> TimeDelta {
        let fastest = fastestRTT
        guard fastest < .infinite else { return .infinite }
        return hasNew
            ? max(PathTable.longestPatience, fastest * Int64(3))
            : fastest + fastest / 4 + Path.replyPause
    }

    /// Sends the data of a path that has not answered in time again elsewhere.
    mutating func endTrust(
        _ index: Int, after silence: TimeDelta, now: Instant, _ session: inout Session
    ) {
        guard self[index].trust == .given,
            silence >= patience(hasNew: session.streams.hasNew)
        else { return }
        self[index].trust = .lost
        self[index].recovery.reinject(now: now, sink: &session)
    }

    /// The paths on which a handshake is sent, and those of them in reserve.
    var initiating: (all: PathSet, reserve: PathSet) {
        var all = PathSet.wait
        var reserve = PathSet.wait
        for index in indices where self[index].isAlive {
            all.insert(PathSet(self[index].id))
            if self[index].isReserve { reserve.insert(PathSet(self[index].id)) }
        }
        return (all, reserve)
    }
}
