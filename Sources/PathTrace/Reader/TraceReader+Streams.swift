import PathTelemetry

extension TraceReader {
    /// Calls `body` with every path sample of one session, or of all, in the order of recording.
    public func forEachSample(
        of session: SessionID? = nil,
        _ body: (SessionID, PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        try rows(
            of: .samples, session: session, order: "rowid", while: "reading the path samples"
        ) { row throws(TraceError) in
            let word = try text(row, 3, "state", of: "a row of 'path_samples'")
            guard let state = PathState(word: word) else {
                throw damaged("a row of 'path_samples' has the state '\(word.prefix(40))'")
            }
            var snapshot = PathSnapshot(
                path: try pathID(row.int(2), in: "path_samples"), state: state,
                traits: try traits(row, first: 16, in: "path_samples"))
            snapshot.smoothedRTT = TimeDelta(nanoseconds: row.int(4))
            snapshot.rttVariation = TimeDelta(nanoseconds: row.int(5))
            snapshot.latestRTT = TimeDelta(nanoseconds: row.int(6))
            snapshot.minRTT = TimeDelta(nanoseconds: row.int(7))
            snapshot.bytesInFlight = try count(row.int(8), "bytes_in_flight")
            snapshot.congestionWindow = try count(row.int(9), "congestion_window")
            snapshot.pacingRate = row.double(10)
            snapshot.deliveryRate = row.double(11)
            snapshot.pacingDelay = TimeDelta(nanoseconds: row.int(12))
            snapshot.oldestUnanswered = row.optionalInt(13).map { Instant(nanoseconds: $0) }
            snapshot.lastReply = row.optionalInt(14).map { Instant(nanoseconds: $0) }
            snapshot.probeTimeouts = try count(row.int(15), "probe_timeouts")
            try body(
                try sessionID(row.int(0), in: "path_samples"),
                PathSample(time: Instant(nanoseconds: row.int(1)), snapshot: snapshot))
        }
    }

    /// Calls `body` with every event of one session, or of all, in the order of recording.
    func forEachEvent(
        of session: SessionID? = nil,
        _ body: (SessionID, TraceEvent) throws(TraceError) -> Void
    ) throws(TraceError) {
        try rows(
            of: .events, session: session, order: "rowid", while: "reading the events"
        ) { row throws(TraceError) in
            var path: PathID?
            if let number = row.optionalInt(3) { path = try pathID(number, in: "events") }
            try body(
                try sessionID(row.int(0), in: "events"),
                TraceEvent(
                    time: Instant(nanoseconds: row.int(1)),
                    kind: TraceEventKind(rawValue: row.text(2)), path: path, text: row.text(4),
                    value: row.optionalDouble(5)))
        }
    }
}
