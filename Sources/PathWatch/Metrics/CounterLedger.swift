/// Sums of counters that come and go, so that the sums never fall.
///
/// A session that ends takes its counters with it, and a path that comes back begins again at zero.
/// The ledger adds what each source counted since it was last looked at. The number of sums is limited;
/// what comes later is summed up under one key.
package struct CounterLedger<Source: Hashable & Sendable, Key: Hashable & Sendable>: Sendable {
    private let limit: Int
    private let rest: Key
    private let corrected: Int?
    private var known: [Source: [UInt64]] = [:]
    /// The sums, by key.
    package private(set) var sums: [Key: [UInt64]] = [:]

    /// An empty ledger.
    ///
    /// - Parameters:
    ///   - limit: of the sums.
    ///   - rest: the key of what comes when there are so many.
    ///   - corrected: the index of a counter that is an estimate and may fall, as packets taken for lost
    ///     may arrive; it adds nothing until it is above what it was.
    package init(limit: Int, rest: Key, corrected: Int? = nil) {
        self.limit = limit
        self.rest = rest
        self.corrected = corrected
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
        var counters = counters
        // A counter that has fallen began again, and so did all.
        let hasRestarted = zip(counters, former).enumerated().contains {
            $0.offset != corrected && $0.element.0 < $0.element.1
        }
        if let corrected, !hasRestarted, former.indices.contains(corrected) {
            counters[corrected] = max(counters[corrected], former[corrected])
        }
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
