/// Where a forward listens now.
public enum ForwardState: Hashable, Sendable {
    /// There is no session, or the peer has not answered yet.
    case waiting
    /// Connections or datagrams are taken at this address.
    case listening(at: String)
    /// The peer does not listen, and why.
    case refused(ForwardResult)
}

/// One forward, for status.
public struct ForwardStatus: Sendable {
    public let spec: ForwardSpec
    public let state: ForwardState
    public let totals: FlowTotals
}
