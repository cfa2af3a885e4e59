import PathTelemetry

/// A Mahimahi trace: capacity as opportunities to send one packet, with one millisecond number per
/// line.
///
/// Each interval becomes one sample, whose `delivery_rate` is what the opportunities of the
/// interval before it carry. A file whose last number is L repeats every L ms, with opportunities
/// at 1 to L: one at the end of an interval belongs to it. Source: mahimahi, man page mm-link.
enum MahimahiFile {
    /// Bytes per opportunity.
    static let packetBytes = 1500
    /// The longest plausible gap, milliseconds.
    private static let longestGap: Int64 = 3_600_000
    /// The most samples of a file: a day in steps of 10 ms.
    ///
    /// Without a limit a few bytes could produce very many samples.
    private static let sampleLimit = 8_640_000

    static func read(
        _ file: String, interval: TimeDelta, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        let lines = try LineFile(file)
        let width = max(1, interval.nanoseconds / 1_000_000)
        let seconds = Double(width) * 1e-3
        var end = width
        var packets = 0
        var last: Int64 = 0
        func emit() throws(TraceError) {
            var sample = PathSample.measured(at: .zero + .milliseconds(end))
            sample.snapshot.deliveryRate = Double(packets * packetBytes) / seconds
            try body(sample)
            packets = 0
            end &+= width
        }
        while let line = try lines.next() {
            let text = line.split(separator: " ")
            if text.isEmpty { continue }
            guard text.count == 1, let time = Int64(text[0]), time >= 0 else {
                throw lines.refusal("'\(line.prefix(40))' is not a number of milliseconds")
            }
            guard time >= last else {
                throw lines.refusal("\(time) ms follows \(last) ms; times must not go back")
            }
            guard time - last <= longestGap else {
                throw lines.refusal("\(time) ms is more than an hour after \(last) ms")
            }
            last = time
            guard time / width < Int64(sampleLimit) else {
                throw lines.refusal(
                    "\(time) ms are more than \(sampleLimit) intervals; give a longer --interval")
            }
            while time > end { try emit() }
            packets += 1
        }
        guard lines.number > 0, packets > 0 || end > width else {
            throw lines.refusal("the file has no opportunity")
        }
        try emit()
    }
}
