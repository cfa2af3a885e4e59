internal import PathTelemetry

/// Metrics in the text format of Prometheus, version 0.0.4.
///
/// Families come one after the other: `begin` names one, and `add` gives its values.
package struct MetricsText: Sendable {
    /// The value of `Content-Type`.
    package static let type = "text/plain; version=0.0.4; charset=utf-8"

    /// What a number means.
    package enum Kind: String, Sendable {
        /// It only grows, or begins again at zero.
        case counter
        case gauge
    }

    /// The labels of a value, encoded once for all families that have them.
    package struct Labels: Hashable, Sendable {
        fileprivate var bytes: [UInt8]

        /// No labels.
        package static let none = Labels([])

        /// Encodes labels.
        ///
        /// - Parameter pairs: names as the format wants them, and any values.
        package init(_ pairs: [(name: String, value: String)]) {
            bytes = []
            guard !pairs.isEmpty else { return }
            for (index, pair) in pairs.enumerated() {
                bytes.append(index == 0 ? 123 : 44)
                bytes += Array("\(pair.name)=\"".utf8)
                for byte in EscapedText(pair.value).description.utf8 {
                    if byte == 34 || byte == 92 { bytes.append(92) }
                    bytes.append(byte)
                }
                bytes.append(34)
            }
            bytes.append(125)
        }
    }

    /// Everything that was added.
    package private(set) var bytes: [UInt8] = []
    private var name: [UInt8] = []

    package init() {}

    /// Begins a family.
    ///
    /// - Parameters:
    ///   - name: of the metric, with its unit.
    ///   - kind: what its numbers mean.
    ///   - help: one line.
    package mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        self.name = Array(name.utf8)
        bytes += Array("# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8)
    }

    /// Adds a value of the family that was begun; none for nil.
    ///
    /// - Parameters:
    ///   - labels: that no other value of the family has.
    ///   - value: of the metric.
    package mutating func add(_ labels: Labels = .none, _ value: Double?) {
        guard let value else { return }
        bytes += name
        bytes += labels.bytes
        bytes.append(32)
        if value.isFinite {
            if value.magnitude < 9e15, value == value.rounded() {
                bytes += Array(String(Int64(value)).utf8)
            } else {
                bytes += Array(NumberText.exact(value).utf8)
            }
        } else {
            bytes += Array((value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf").utf8)
        }
        bytes.append(10)
    }
}
