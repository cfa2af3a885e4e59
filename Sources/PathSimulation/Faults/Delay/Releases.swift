import PathTelemetry

/// The times at which a link releases the packets that it holds, as Wi-Fi and slotted radio do.
///
/// One release falls into each span of the given length, at a time that is uniform in it and follows
/// from link and number of the span alone; so the mean time between two is that length, the longest
/// twice that. How much one release can carry has no limit but the link's rate.
struct Releases: Sendable, Hashable {
    /// Mean time between two, nanoseconds; zero for none.
    var span: Int64 = 0
    private var random = LinkRandom(state: 0)

    /// Takes the stream of the link's direction.
    mutating func start(_ random: LinkRandom) {
        self.random = random.branch(0x6167_6772_6567_6174)
    }

    private func release(in place: Int64) -> Int64 {
        var random = random.at(place, number: 0)
        return saturatingSum(place * span, nanoseconds(random.uniform() * Double(span)))
    }

    /// Nanoseconds from a time to the first release after it.
    func hold(at time: Int64) -> Int64 {
        guard span > 0 else { return 0 }
        let now = max(0, time)
        let place = now / span
        let next = release(in: place)
        return (next > now ? next : release(in: place + 1)) - now
    }
}
