import PathTelemetry

/// A file of numbers at a fixed interval: one a line, `#` for comments, and `interval 200ms` before
/// the first for another interval than that; or a recording of measured links (`ImportedSeries`).
struct SeriesFile {
    var interval = TimeDelta.milliseconds(200)
    /// NaN for a lost sample.
    var samples: [Double] = []
    /// The number of the last line.
    var lines = 0

    /// Reads a file of at most `LinkBounds.traceBytes`.
    ///
    /// - Parameters:
    ///   - what: the meaning and unit of a number, for messages.
    ///   - quantity: what is taken of a recording; a line may be `lost` for delays.
    init(
        file: String, _ what: String, in bounds: ClosedRange<Double>,
        _ quantity: ImportedSeries.Quantity
    ) throws(SimulationError) {
        if let imported = try ImportedSeries(file: file, quantity) {
            interval = imported.interval
            samples = imported.samples
            return
        }
        let isLossAllowed = quantity == .delay
        let text = String(decoding: try readFile(file, limit: LinkBounds.traceBytes), as: UTF8.self)
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            lines += 1
            if line.isEmpty || line.hasPrefix("#") { continue }
            let number = lines
            func invalid(_ fix: String) -> SimulationError {
                .invalidTrace(path: file, line: number, fix: fix)
            }
            if line.hasPrefix("interval ") {
                guard samples.isEmpty,
                    let seconds = ArgumentText.seconds(String(line.dropFirst("interval ".count))),
                    (0.001...3600).contains(seconds)
                else { throw invalid("write 'interval 200ms' before the first number") }
                interval = TimeDelta(seconds: seconds)
            } else if isLossAllowed, line == "lost" {
                samples.append(.nan)
            } else {
                guard let sample = ArgumentText.number(line), bounds.contains(sample) else {
                    throw invalid("write \(what)" + (isLossAllowed ? ", or 'lost'" : ""))
                }
                samples.append(sample)
            }
        }
    }
}
