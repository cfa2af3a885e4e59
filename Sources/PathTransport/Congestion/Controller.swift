import PathTelemetry

/// The congestion controller of one path; its algorithm is chosen once and called statically.
///
/// Both algorithms are stored although only one is used: an enum with the algorithm as payload
/// would copy some 500 bytes out and back in each call, which costs more than the algorithm itself.
struct Controller: ~Copyable, CongestionController {
    private let pin = Pin()
    /// The algorithm in use.
    let algorithm: CongestionAlgorithm
    private var cubic: Cubic
    private var model: ModelBased

    init(_ algorithm: CongestionAlgorithm, _ configuration: CongestionConfiguration = .init()) {
        self.algorithm = algorithm
        cubic = Cubic(configuration)
        model = ModelBased(configuration)
    }

    mutating func handleSent(now: Instant, bytes: Int, packetNumber: UInt64, bytesInFlight: Int) {
        switch algorithm {
        case .cubic:
            cubic.handleSent(
                now: now, bytes: bytes, packetNumber: packetNumber, bytesInFlight: bytesInFlight)
        case .modelBased:
            model.handleSent(
                now: now, bytes: bytes, packetNumber: packetNumber, bytesInFlight: bytesInFlight)
        }
    }
    mutating func handleAck(_ event: AckEvent) {
        switch algorithm {
        case .cubic: cubic.handleAck(event)
        case .modelBased: model.handleAck(event)
        }
    }
    mutating func handleLoss(_ event: LossEvent) {
        switch algorithm {
        case .cubic: cubic.handleLoss(event)
        case .modelBased: model.handleLoss(event)
        }
    }
    mutating func handleSpuriousLoss(_ event: SpuriousLoss) {
        switch algorithm {
        case .cubic: cubic.handleSpuriousLoss(event)
        case .modelBased: model.handleSpuriousLoss(event)
        }
    }
    mutating func handleOutage(now: Instant) {
        switch algorithm {
        case .cubic: cubic.handleOutage(now: now)
        case .modelBased: model.handleOutage(now: now)
        }
    }
    mutating func handleRestored(now: Instant) {
        switch algorithm {
        case .cubic: cubic.handleRestored(now: now)
        case .modelBased: model.handleRestored(now: now)
        }
    }
    mutating func handleMaximumPacketSize(_ bytes: Int) {
        switch algorithm {
        case .cubic: cubic.handleMaximumPacketSize(bytes)
        case .modelBased: model.handleMaximumPacketSize(bytes)
        }
    }
    mutating func resume(from saved: SavedCapacity) {
        switch algorithm {
        case .cubic: cubic.resume(from: saved)
        case .modelBased: model.resume(from: saved)
        }
    }

    var congestionWindow: Int {
        algorithm == .cubic ? cubic.congestionWindow : model.congestionWindow
    }
    var pacingRate: Double { algorithm == .cubic ? cubic.pacingRate : model.pacingRate }
    var bandwidthEstimate: Double {
        algorithm == .cubic ? cubic.bandwidthEstimate : model.bandwidthEstimate
    }
    var provenRate: Double { algorithm == .cubic ? cubic.provenRate : model.provenRate }
    var earlierCapacity: SavedCapacity? {
        algorithm == .cubic ? cubic.earlierCapacity : model.earlierCapacity
    }
    var phase: CongestionPhase { algorithm == .cubic ? cubic.phase : model.phase }
    var isDoubling: Bool { algorithm == .cubic ? cubic.isDoubling : model.isDoubling }
    var name: String { algorithm.rawValue }
}
