/// Where a forward listens now.
package enum ForwardState: Hashable, Sendable {
    /// There is no session, or the peer has not answered yet.
    case waiting
    /// Connections or datagrams are taken at this address.
    case listening(at: String)
    /// The peer does not listen, and why.
    case refused(ForwardResult)
    /// It was ended, and connections that were accepted at this address go on.
    case leaving(String)
}

/// One forward, for status.
package struct ForwardStatus: Sendable {
    package let spec: ForwardSpec
    package let state: ForwardState
    package let totals: FlowTotals
}
