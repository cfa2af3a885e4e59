/// The facts of a connection that do not change while it lives.
public struct SessionFacts: Sendable {
    public var peer: PublicKey
    public var policy: String
    /// Hash of the model that the policy started from; zero without one.
    public var modelHash: UInt64
    public var seed: UInt64

    public init(peer: PublicKey, policy: String, modelHash: UInt64, seed: UInt64) {
        self.peer = peer
        self.policy = policy
        self.modelHash = modelHash
        self.seed = seed
    }

    public init(of connection: borrowing Connection) {
        self.init(
            peer: connection.peerKey, policy: connection.policyName,
            modelHash: connection.modelHash, seed: connection.configuration.seed)
    }
}
