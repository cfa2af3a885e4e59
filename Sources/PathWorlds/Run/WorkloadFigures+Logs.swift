import PathTelemetry

extension WorkloadFigures {
    /// Length of the blocks of a run.
    static let block = TimeDelta.seconds(5)

    /// The figures of a log.
    ///
    /// - Parameters:
    ///   - warmUp: what was sent before is not counted.
    ///   - end: the end of the run; messages whose deadline is later are not counted.
    init(_ log: WorkloadLog, warmUp: Instant, end: Instant) {
        switch log {
        case .messages(let log): self.init(log, warmUp: warmUp, end: end)
        case .stream(let log):
            if log.isTransfers {
                self.init(transfers: log, end)
            } else {
                self.init(bulk: log, warmUp, end)
            }
        }
    }

    private init(_ log: MessageLog, warmUp: Instant, end: Instant) {
        let deadline = log.deadline.seconds
        var times: [Double] = []
        var blocks = BlockMeans(from: warmUp)
        var late = 0
        var inTime = 0
        for place in log.sentAt.indices {
            let sentAt = log.sentAt[place]
            guard sentAt >= warmUp, sentAt + log.deadline <= end else { continue }
            let delay = Double(log.delays[place])
            let isLate = log.isLate(place)
            if isLate { late += 1 } else { inTime += log.size(place) }
            times.append(delay.isFinite ? delay : 2 * deadline)
            blocks.add(isLate ? 2 * deadline : delay, at: sentAt)
        }
        times.sort()
        let count = Double(times.count)
        func quantile(_ share: Double) -> Double {
            times.isEmpty ? .nan : times[min(times.count - 1, Int(count * share))]
        }
        self.blocks = blocks.means
        ranks = WorkloadFigures.ranks(of: times)
        values = [
            (.mean, blocks.mean), (.late, count > 0 ? Double(late) / count : .nan),
            (.p50, quantile(0.5)), (.p95, quantile(0.95)), (.p99, quantile(0.99)),
        ]
        if log.isAdaptive {
            let seconds = max(1e-3, (end - warmUp).seconds)
            values.append((.goodput, Double(inTime) * 8 / seconds))
        }
    }

    /// At most 200 of sorted times.
    private static func ranks(of sorted: [Double]) -> [Double] {
        let count = min(200, sorted.count)
        return (0..<count).map { sorted[(sorted.count - 1) * $0 / max(1, count - 1)] }
    }

    private init(bulk log: StreamLog, _ warmUp: Instant, _ end: Instant) {
        let from = max(0, (warmUp - log.start).nanoseconds / StreamLog.slice.nanoseconds)
        let to = max(from, (end - log.start).nanoseconds / StreamLog.slice.nanoseconds)
        let perSlice = 8 / StreamLog.slice.seconds
        var blocks = BlockMeans(from: warmUp)
        for slice in from..<to {
            let bytes = slice < log.slices.count ? log.slices[Int(slice)] : 0
            blocks.add(Double(bytes) * perSlice, at: log.start + StreamLog.slice * slice)
        }
        self.blocks = blocks.means
        values = [(.goodput, blocks.mean), (.gap, log.gap(at: end).seconds)]
    }

    /// Transfers that ended, and the one under way at the end of the run with its time so far, if
    /// that is longer than the mean of the others: else a policy would gain by never ending one.
    private init(transfers log: StreamLog, _ end: Instant) {
        var times = log.completions
        let ended = times.count
        if let open = log.unfinished(at: end),
            times.isEmpty || open > times.reduce(0, +) / Double(ended)
        {
            times.append(open)
        }
        times.sort()
        let count = Double(times.count)
        blocks = []
        ranks = WorkloadFigures.ranks(of: times)
        values = [
            (.completion, times.isEmpty ? .nan : times.reduce(0, +) / count),
            (
                .completionP95,
                times.isEmpty ? .nan : times[min(times.count - 1, Int(count * 0.95))]
            ),
            (.completed, Double(ended)),
        ]
    }
}

/// Means over consecutive blocks of time.
private struct BlockMeans {
    private let start: Instant
    private var sums: [(sum: Double, count: Int)] = []

    init(from start: Instant) { self.start = start }

    mutating func add(_ value: Double, at time: Instant) {
        let block = Int((time - start).nanoseconds / WorkloadFigures.block.nanoseconds)
        guard (0..<1_000_000).contains(block) else { return }
        while sums.count <= block { sums.append((0, 0)) }
        sums[block].sum += value
        sums[block].count += 1
    }

    var means: [Double] {
        sums.map { $0.count > 0 ? $0.sum / Double($0.count) : .nan }
    }

    var mean: Double {
        let count = sums.reduce(0) { $0 + $1.count }
        return count > 0 ? sums.reduce(0) { $0 + $1.sum } / Double(count) : .nan
    }
}
