import PathTelemetry

/// How the queue of a bottleneck is managed.
enum QueueDiscipline: Sendable, Hashable {
    /// What does not fit is dropped.
    case dropTail
    /// CoDel, RFC 8289.
    case coDel(CoDelSettings)
    /// FQ-CoDel, RFC 8290: a queue for each path and each flow of others, served in turn.
    case fairCoDel(CoDelSettings)

    /// The wait that is accepted, and for how long it may be longer (RFC 8289, sections 4.2 and 4.3).
    struct CoDelSettings: Sendable, Hashable {
        var target = TimeDelta.milliseconds(5)
        var interval = TimeDelta.milliseconds(100)
    }

    /// The limit of waiting packets that Linux has for it; nil leaves it.
    var usualLimit: LinkParameters.QueueLimit? {
        switch self {
        case .dropTail: nil
        case .coDel: .packets(1000)
        case .fairCoDel: .packets(10_240)
        }
    }
}

/// The names of disciplines in options and files.
package enum QueueDisciplineName: String, CaseIterable {
    case dropTail = "drop-tail"
    case coDel = "codel"
    case fairCoDel = "fq-codel"
}
