/// Sums of counters that come and go, so that the sums never fall.
///
/// A session that ends takes its counters with it, and a path that comes back begins again at zero.
/// The ledger adds what each source counted since it was last looked at. The number of sums is limited;
/// what comes later is summed up under one key.
package struct CounterLedger<Source: Hashable & Sendable, Key: Hashable & Sendable>: Sendable {
    private let limit: Int
    private let rest: Key
    private var known: [Source: [UInt64]] = [:]
    /// The sums, by key.
    package private(set) var sums: [Key: [UInt64]] = [:]

    /// An empty ledger.
    ///
    /// - Parameters:
    ///   - limit: of the sums.
    ///   - rest: the key of what comes when there are so many.
    package init(limit: Int, rest: Key) {
        self.limit = limit
        self.rest = rest
    }

    /// Takes the counters of a source.
    ///
    /// - Parameters:
    ///   - source: what counts.
    ///   - key: under which it is summed up.
    ///   - counters: always the same ones, in the same order.
    /// - Returns: how much was added to each.
    @discardableResult
    package mutating func take(_ source: Source, _ key: Key, _ counters: [UInt64]) -> [UInt64] {
        let former = known[source] ?? []
        // A counter that has fallen began again.
        let hasRestarted = zip(counters, former).contains { $0 < $1 }
        let more = counters.indices.map { index in
            hasRestarted || !former.indices.contains(index)
                ? counters[index] : counters[index] - former[index]
        }
        known[source] = counters
        let key = sums[key] == nil && sums.count >= limit ? rest : key
        var sum = sums[key] ?? []
        while sum.count < more.count { sum.append(0) }
        for index in more.indices { sum[index] &+= more[index] }
        sums[key] = sum
        return more
    }

    /// Forgets sources that do not count any more; their sums stay.
    ///
    /// - Parameter isOver: whether a source is one of them.
    package mutating func forget(where isOver: (Source) -> Bool) {
        for source in Array(known.keys) where isOver(source) { known[source] = nil }
    }
}
