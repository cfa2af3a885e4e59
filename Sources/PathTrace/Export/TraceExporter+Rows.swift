import PathLearning
import PathTelemetry

extension PathSet {
    /// The paths joined by `+`, or `wait`.
    var word: String {
        guard rawValue != 0 else { return "wait" }
        var rest = self
        var text = ""
        while let path = rest.popFirst() {
            text += (text.isEmpty ? "" : "+") + String(path.rawValue)
        }
        return text
    }
}

extension TraceExporter {
    static func row(_ decision: borrowing LoggedDecision, into text: inout RowText) {
        let record = decision.record
        let distribution = record.decision.distribution
        let action = record.decision.action
        text.field(Int64(decision.session.rawValue))
        text.field(record.number)
        text.field(record.time.nanoseconds)
        text.field(record.burst.trafficClass.name)
        text.field(Int64(record.burst.bytes))
        text.field(record.burst.deadline.nanoseconds)
        text.field(record.burst.currentPath.map { Int64($0.rawValue) })
        text.list(record.candidates.count) { Double(record.candidates[$0].path.rawValue) }
        text.field(action.word)
        text.field(record.decision.propensity)
        text.field(record.decision.isForced)
        text.field(record.draw)
        text.list(texts: distribution.count) { distribution.action($0).word }
        text.list(distribution.count) { distribution[$0] }
        text.field(
            action.first.flatMap { record.candidates.index(of: $0) }
                .map { record.candidates[$0].predictedDelivery })
        let outcome = decision.outcome
        text.field(outcome?.delivery)
        text.field(outcome?.isLate)
        text.field(outcome?.deadline)
        text.field(outcome.map { Int64($0.packets) })
        text.field(outcome.map { Int64($0.lostPackets) })
        text.field(outcome?.closedAt.nanoseconds)
        let bytes = outcome?.bytes ?? PathBytes()
        text.field(bytes.isEmpty ? nil : Int64(bytes.total))
        let paths = (0..<PathID.limit).map { PathID($0) }.filter { bytes.paths.contains($0) }
        text.list(texts: paths.count) { "\(paths[$0].rawValue):\(bytes[paths[$0]])" }
        text.endRow()
    }

    static func row(
        _ decision: borrowing LoggedDecision, candidate index: Int, into text: inout RowText
    ) {
        let candidate = decision.record.candidates[index]
        text.field(Int64(decision.session.rawValue))
        text.field(decision.record.number)
        text.field(Int64(candidate.path.rawValue))
        text.field(decision.record.decision.action.contains(candidate.path))
        text.field(candidate.predictedDelivery)
        text.field(candidate.smoothedRTT)
        text.field(candidate.rttVariation)
        text.field(candidate.unansweredAge)
        text.field(candidate.lossRate)
        text.field(candidate.rate)
        text.field(Int64(candidate.room))
        text.field(Int64(candidate.bytesInFlight))
        text.field(Int64(candidate.congestionWindow))
        traits(candidate.traits, into: &text)
        for feature in 0..<FeatureVector.count { text.field(candidate.features[feature]) }
        text.endRow()
    }

    static func row(_ recorded: RecordedSession, into text: inout RowText) {
        text.field(Int64(recorded.id.rawValue))
        text.field(recorded.info.startedWallClock)
        text.field(recorded.info.started.nanoseconds)
        text.field(recorded.ended?.nanoseconds)
        text.field(recorded.info.role)
        text.field(recorded.info.peer)
        text.field(recorded.info.policy)
        text.field(recorded.info.modelHash)
        text.field(String(recorded.info.seed))
        text.field(recorded.info.programVersion)
        text.field(recorded.info.command)
        text.endRow()
    }

    static func row(_ recorded: RecordedPath, into text: inout RowText) {
        text.field(Int64(recorded.session.rawValue))
        text.field(Int64(recorded.info.path.rawValue))
        text.field(recorded.info.name)
        text.field(recorded.info.local)
        text.field(recorded.info.remote)
        traits(recorded.info.traits, into: &text)
        text.field(recorded.info.added.nanoseconds)
        text.field(recorded.removed?.nanoseconds)
        text.endRow()
    }

    static func row(_ session: SessionID, _ sample: PathSample, into text: inout RowText) {
        let path = sample.snapshot
        text.field(Int64(session.rawValue))
        text.field(sample.time.nanoseconds)
        text.field(Int64(path.path.rawValue))
        text.field(path.state.name)
        text.field(path.smoothedRTT.nanoseconds)
        text.field(path.rttVariation.nanoseconds)
        text.field(path.latestRTT.nanoseconds)
        text.field(path.minRTT == .infinite ? nil : path.minRTT.nanoseconds)
        text.field(Int64(path.bytesInFlight))
        text.field(Int64(path.congestionWindow))
        text.field(path.pacingRate)
        text.field(path.deliveryRate)
        text.field(path.pacingDelay.nanoseconds)
        text.field(path.oldestUnanswered?.nanoseconds)
        text.field(path.lastReply?.nanoseconds)
        text.field(Int64(path.probeTimeouts))
        text.endRow()
    }

    static func row(_ session: SessionID, _ event: TraceEvent, into text: inout RowText) {
        text.field(Int64(session.rawValue))
        text.field(event.time.nanoseconds)
        text.field(event.kind.rawValue)
        text.field(event.path.map { Int64($0.rawValue) })
        text.field(event.text)
        text.field(event.value)
        text.endRow()
    }

    private static func traits(_ traits: PathTraits, into text: inout RowText) {
        text.field(traits.weight)
        text.field(traits.pricePerGB)
        text.field(traits.rateLimit)
        text.field(traits.isBackup)
        text.field(traits.kind.word.description)
    }
}
