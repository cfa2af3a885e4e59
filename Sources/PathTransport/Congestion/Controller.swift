import PathTelemetry

/// The congestion controller of one path, chosen once and called without indirection.
enum Controller: CongestionController {
    case cubic(Cubic)
    case modelBased(ModelBased)

    init(_ algorithm: CongestionAlgorithm, _ configuration: CongestionConfiguration = .init()) {
        switch algorithm {
        case .cubic: self = .cubic(Cubic(configuration))
        case .modelBased: self = .modelBased(ModelBased(configuration))
        }
    }

    /// Calls `body` on the controller in place; the value is moved out and back, not copied.
    @inline(__always)
    private mutating func update(
        _ cubicBody: (inout Cubic) -> Void, _ modelBody: (inout ModelBased) -> Void
    ) {
        switch self {
        case .cubic(var controller):
            cubicBody(&controller)
            self = .cubic(controller)
        case .modelBased(var controller):
            modelBody(&controller)
            self = .modelBased(controller)
        }
    }

    mutating func handleSent(now: Instant, bytes: Int, packetNumber: UInt64, bytesInFlight: Int) {
        update(
            {
                $0.handleSent(
                    now: now, bytes: bytes, packetNumber: packetNumber,
                    bytesInFlight: bytesInFlight)
            },
            {
                $0.handleSent(
                    now: now, bytes: bytes, packetNumber: packetNumber,
                    bytesInFlight: bytesInFlight)
            })
    }
    mutating func handleAck(_ event: AckEvent) {
        update({ $0.handleAck(event) }, { $0.handleAck(event) })
    }
    mutating func handleLoss(_ event: LossEvent) {
        update({ $0.handleLoss(event) }, { $0.handleLoss(event) })
    }
    mutating func handleOutage(now: Instant) {
        update({ $0.handleOutage(now: now) }, { $0.handleOutage(now: now) })
    }
    mutating func handleRestored(now: Instant) {
        update({ $0.handleRestored(now: now) }, { $0.handleRestored(now: now) })
    }
    mutating func handleMaximumPacketSize(_ bytes: Int) {
        update({ $0.handleMaximumPacketSize(bytes) }, { $0.handleMaximumPacketSize(bytes) })
    }

    var congestionWindow: Int {
        switch self {
        case .cubic(let controller): controller.congestionWindow
        case .modelBased(let controller): controller.congestionWindow
        }
    }
    var pacingRate: Double {
        switch self {
        case .cubic(let controller): controller.pacingRate
        case .modelBased(let controller): controller.pacingRate
        }
    }
    var bandwidthEstimate: Double {
        switch self {
        case .cubic(let controller): controller.bandwidthEstimate
        case .modelBased(let controller): controller.bandwidthEstimate
        }
    }
    var phase: CongestionPhase {
        switch self {
        case .cubic(let controller): controller.phase
        case .modelBased(let controller): controller.phase
        }
    }
    var name: String {
        switch self {
        case .cubic(let controller): controller.name
        case .modelBased(let controller): controller.name
        }
    }
}
