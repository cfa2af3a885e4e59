public import PathTelemetry
public import PathTransport

/// The two directions of one path.
public struct DuplexLink: Sendable {
    public var forward: Link
    public var backward: Link

    init(forward: Link, backward: Link) {
        self.forward = forward
        self.backward = backward
    }

    /// - Parameters:
    ///   - path: number of the path, from zero; random draws depend on it.
    ///   - overhead: bytes of IP and UDP headers added to each payload.
    public init(
        _ specification: LinkSpecification, seed: UInt64, path: Int, origin: Instant = .zero,
        overhead: Int = SocketAddress.Family.ipv4.headerBytes
    ) {
        forward = Link(
            specification.forward, seed: seed, path: path, direction: .forward, origin: origin,
            overhead: overhead)
        backward = Link(
            specification.backward, seed: seed, path: path, direction: .backward, origin: origin,
            overhead: overhead)
    }

    /// The link of one direction.
    public subscript(direction: LinkDirection) -> Link {
        _read {
            switch direction {
            case .forward: yield forward
            case .backward: yield backward
            }
        }
        _modify {
            switch direction {
            case .forward: yield &forward
            case .backward: yield &backward
            }
        }
    }

    /// The earlier next arrival of the two directions.
    var nextDelivery: Instant? {
        switch (forward.nextDelivery, backward.nextDelivery) {
        case (let one?, let other?): return min(one, other)
        case (let one, let other): return one ?? other
        }
    }
}
