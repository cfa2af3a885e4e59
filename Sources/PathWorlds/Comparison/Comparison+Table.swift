import PathEvaluation
public import PathReport
import PathSimulation
import PathTelemetry

/// A comparison as text.
extension Comparison {
    /// One table for each workload of each world, and one over all.
    ///
    /// - Parameter styled: titles are bold by terminal codes.
    public func text(styled: Bool = false) -> String {
        var text = ""
        for world in worlds.indices {
            for workload in worlds[world].workloads.indices {
                text += title(world, workload) + "\n"
                text += table(world, workload).text(styled: styled) + "\n"
            }
            for remark in remarks(world: world) { text += remark + "\n\n" }
        }
        if worlds.reduce(0, { $0 + $1.workloads.count }) > 1 {
            text +=
                "All worlds: change in cost (time, or the inverse of a rate) against "
                + "\(contenders[baseline].name)\n"
            text += overallTable().text(styled: styled) + "\n"
        }
        return text + note() + "\n"
    }

    func title(_ world: Int, _ workload: Int) -> String {
        let specification = worlds[world]
        let load = specification.workloads[workload]
        let way = load.direction == .forward ? "client to server" : "server to client"
        return "\(specification.name), \(load.name) (\(way)): "
            + NumberText.counted(seeds.count, "run") + " of "
            + NumberText.time(specification.duration.seconds)
    }

    func table(_ world: Int, _ workload: Int) -> TextTable {
        let metrics =
            runs(world: world, contender: baseline).first?.workloads[workload].values
            .map(\.metric) ?? []
        var columns = [TextTable.Column("policy", .left)]
        columns += metrics.map { TextTable.Column($0.title) }
        columns += [
            TextTable.Column("against \(contenders[baseline].name)"),
            TextTable.Column("bytes"), TextTable.Column("copies"), TextTable.Column("failovers"),
        ]
        var table = TextTable(columns)
        // The one who knows the future has no row where it was not computed.
        let shown = contenders.indices.filter {
            !contenders[$0].isOracle
                || runs(world: world, contender: $0).contains {
                    !$0.workloads[workload].values.isEmpty
                }
        }
        for contender in shown {
            let cells = metrics.map {
                cell(world: world, contender: contender, workload: workload, metric: $0)
            }
            var row = [contenders[contender].name]
            row += zip(metrics, cells).map { $0.text($1.value) }
            row.append(cells.first.map { Comparison.text(of: $0) } ?? "")
            row.append(
                NumberText.fixed(mean(world: world, contender: contender, \.overhead), 3) + " x")
            row.append(
                NumberText.percent(
                    mean(world: world, contender: contender) {
                        Double($0.copiedBytes) / Double(max(1, $0.payloadBytes))
                    }))
            row.append(
                NumberText.short(
                    mean(world: world, contender: contender) { Double($0.failovers) }))
            table.add(row)
        }
        return table
    }

    /// What a reader of a world's tables has to know: sessions that ended before the run did.
    func remarks(world: Int) -> [String] {
        contenders.indices.compactMap { contender in
            let all = runs(world: world, contender: contender)
            let ended = all.compactMap(\.endedBy)
            guard let reason = ended.first else { return nil }
            return "\(contenders[contender].name): \(ended.count) of "
                + "\(NumberText.counted(all.count, "session")) ended early (\(reason)); what was "
                + "offered later is lost."
        }
    }

    func overallTable() -> TextTable {
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("cost"),
            TextTable.Column("within 2 % of the best"), TextTable.Column("worst"),
            TextTable.Column("where", .left),
        ])
        for contender in contenders.indices {
            let all = overall(contender: contender)
            let change = Cell(
                value: .nan, difference: contender == baseline ? nil : all.difference,
                interval: all.interval)
            table.add([
                contenders[contender].name, Comparison.text(of: change),
                NumberText.percent(all.nearBest, digits: 0),
                contender == baseline ? "" : Comparison.signed(all.worst),
                contender == baseline ? "" : all.worstPlace,
            ])
        }
        return table
    }

    func note() -> String {
        let level = NumberText.percent(confidence, digits: 0)
        return "Differences are paired by world and seed, with \(level) intervals (bootstrap). "
            + "A late message counts as twice its deadline in the mean. Bytes are IP bytes sent "
            + "for each byte of payload."
    }

    /// A difference with its interval, as `-3.1 % [-4.0, -2.2]`.
    private static func text(of cell: Cell) -> String {
        guard let difference = cell.difference else { return "" }
        guard let interval = cell.interval else { return signed(difference) }
        return signed(difference)
            + " [\(plain(interval.low)), \(plain(interval.high))]"
    }

    private static func plain(_ share: Double) -> String {
        (share > 0 ? "+" : "") + NumberText.fixed(share * 100, 1)
    }

    static func signed(_ share: Double) -> String { plain(share) + " %" }
}

extension Metric {
    /// The heading of its column.
    var title: String {
        switch self {
        case .late: "late"
        case .mean: "mean"
        case .p50: "p50"
        case .p95: "p95"
        case .p99: "p99"
        case .goodput: "goodput"
        case .gap: "longest gap"
        case .completed: "transfers"
        case .completion: "mean time"
        case .completionP95: "p95"
        }
    }

    /// A value with its unit.
    func text(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        switch self {
        case .late: return NumberText.percent(value, digits: 2)
        case .goodput: return NumberText.rate(bytesPerSecond: value / 8)
        case .completed: return NumberText.short(value)
        default: return NumberText.time(value)
        }
    }
}
