import Glibc
import PathLearning
import PathTelemetry

/// A decision as a line of Vowpal Wabbit's decision service JSON ("dsjson").
///
/// Each action is one example of `_multi` with the features of its path; for several copies, those
/// of the path that the heuristic predicts to be first. The label is `Cost.total` of the outcome.
/// Decisions without an outcome have no label, forced ones `_skipLearn`. Source:
/// github.com/VowpalWabbit/vowpal_wabbit/wiki/DSJSON.
struct DecisionServiceText {
    private(set) var bytes: [UInt8] = []
    private let names: [String]
    private let cost = Cost()

    /// - Parameter names: the features' names in their order.
    init(names: [String]) {
        self.names = (0..<FeatureVector.count).map {
            $0 < names.count ? names[$0] : "feature_\($0)"
        }
    }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    private mutating func put(_ text: String) { bytes += Array(text.utf8) }

    private mutating func put(_ key: String, _ value: Double) {
        JSONText.append(key, to: &bytes)
        bytes.append(0x3a)
        JSONText.append(value, to: &bytes)
    }

    /// Appends a decision as a line.
    mutating func append(_ decision: borrowing LoggedDecision, session info: SessionInfo?) {
        let record = decision.record
        let distribution = record.decision.distribution
        let chosen = record.decision.chosen
        put("{")
        if let outcome = decision.outcome {
            put("_label_cost", label(decision, outcome))
            put(",")
        }
        put("_label_probability", record.decision.propensity)
        put(",\"_label_Action\":\(chosen + 1),\"_labelIndex\":\(chosen),")
        if record.decision.isForced { put("\"_skipLearn\":true,") }
        if let info {
            let since = record.time - info.started
            put("\"Timestamp\":\"")
            put(DecisionServiceText.timestamp(info.startedWallClock &+ since.nanoseconds))
            put("\",")
        }
        put(
            "\"Version\":\"1\",\"EventId\":\"\(decision.session.rawValue)-\(record.number)\",\"a\":["
        )
        // The chosen action comes first.
        put(String(chosen + 1))
        for index in 0..<distribution.count where index != chosen { put(",\(index + 1)") }
        put("],\"c\":{\"burst\":{")
        put("bytes", Double(record.burst.bytes))
        put(",")
        put("deadline_s", record.burst.deadline.seconds)
        put(",\"\(record.burst.trafficClass.name)\":1},\"_multi\":[")
        for index in 0..<distribution.count {
            if index > 0 { put(",") }
            append(distribution.action(index), of: record)
        }
        put("]},\"p\":[")
        JSONText.append(distribution[chosen], to: &bytes)
        for index in 0..<distribution.count where index != chosen {
            put(",")
            JSONText.append(distribution[index], to: &bytes)
        }
        put("]}\n")
    }

    private mutating func append(_ action: PathSet, of record: borrowing DecisionRecord) {
        var first: Int?
        let candidates = record.candidates
        for index in 0..<candidates.count where action.contains(candidates[index].path) {
            let best = first.map { candidates[$0].predictedDelivery } ?? .infinity
            if first == nil || candidates[index].predictedDelivery < best { first = index }
        }
        put("{\"action\":{")
        JSONText.append(action.word, to: &bytes)
        put(":1,")
        put("copies", Double(action.count))
        put("}")
        if let first {
            put(",\"path\":{")
            for feature in 0..<FeatureVector.count {
                put(names[feature], candidates[first].features[feature])
                put(",")
            }
            put("predicted_s", candidates[first].predictedDelivery)
            put("}")
        }
        put("}")
    }

    private func label(
        _ decision: borrowing LoggedDecision, _ outcome: borrowing Outcome
    ) -> Double {
        let record = decision.record
        let (taken, action, planned) = (
            copy outcome, record.decision.action, record.burst.bytes
        )
        let (cost, count) = (cost, record.candidates.count)
        let price = record.candidates.withSpan { candidates in
            cost.price(
                of: taken, action: action, planned: planned,
                candidates: candidates.extracting(first: count))
        }
        return cost.total(outcome: outcome, price: price)
    }

    /// Nanoseconds since 1970 as `2026-11-23T10:20:30.123456Z`.
    static func timestamp(_ nanoseconds: Int64) -> String {
        let micros = nanoseconds / 1000 - (nanoseconds % 1000 < 0 ? 1 : 0)
        var seconds = time_t(micros / 1_000_000)
        var rest = micros % 1_000_000
        if rest < 0 {
            rest += 1_000_000
            seconds -= 1
        }
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "1970-01-01T00:00:00.000000Z" }
        func digits(_ value: Int, _ width: Int) -> String { NumberText.padded(value, to: width) }
        return digits(Int(parts.tm_year) + 1900, 4) + "-" + digits(Int(parts.tm_mon) + 1, 2) + "-"
            + digits(Int(parts.tm_mday), 2) + "T" + digits(Int(parts.tm_hour), 2) + ":"
            + digits(Int(parts.tm_min), 2) + ":" + digits(Int(parts.tm_sec), 2) + "."
            + digits(Int(rest), 6) + "Z"
    }
}
