import Pathwise

/// Takes the cheapest path on which a message arrives within half of the time that it has.
struct ThriftyPolicy: Policy {
    static let descriptor = PolicyDescriptor(
        "thrifty", "the cheapest path that is fast enough", make: { ThriftyPolicy() })

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        var best = 0
        for index in 1..<max(1, candidates.count)
        where score(of: candidates[index], burst: burst) < score(of: candidates[best], burst: burst)
        {
            best = index
        }
        distribution.choose(best, among: candidates)
    }

    /// The price, and the delivery time where that is too long; least is best.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let limit = burst.deadline.seconds / 2
        let isLate = candidate.predictedDelivery > limit
        return candidate.traits.pricePerGB + (isLate ? 1000 + candidate.predictedDelivery : 0)
    }
}

let (serverKey, clientKey) = (try PrivateKey.generate(), try PrivateKey.generate())
let server = try Server(
    key: serverKey, clients: [clientKey.publicKey], listen: ["127.0.0.1:0", "127.0.0.2:0"])
let receiving = Task {
    for await session in server.sessions {
        for await _ in session.messages {}
    }
}

let options = ClientOptions(
    identity: ClientIdentity(key: clientKey, peer: serverKey.publicKey),
    plans: [
        PathPlan(
            name: "starlink", remote: server.localAddresses[0],
            traits: PathTraits(pricePerGB: 8, kind: .starlink)),
        PathPlan(name: "fibre", remote: server.localAddresses[1]),
    ], policy: ThriftyPolicy.descriptor.specification())
let session = try await Session.connect(options)

// Until both paths are there, there is nothing to choose.
while session.status().paths.filter({ $0.snapshot.state == .active }).count < 2 {
    try await Task.sleep(for: .milliseconds(5))
}
var decided: [PathID: UInt64] = [:]
for path in session.status().paths { decided[path.path] = path.statistics.decisions }

// One message after the other.
let events = session.events
for _ in 1...20 {
    let number = try session.sendMessage([UInt8](repeating: 1, count: 1000), deadline: .seconds(1))
    for await event in events {
        if case .messageDelivered(number) = event { break }
        if case .messageLost(number) = event { break }
    }
}

let status = session.status()
print("policy \(status.policy)")
for path in status.paths {
    let price = path.name == "fibre" ? "free" : "8 a gigabyte"
    print(
        "\(path.name) (\(price)): \(path.statistics.decisions - decided[path.path, default: 0]) messages"
    )
}
await session.close()
await server.close()
