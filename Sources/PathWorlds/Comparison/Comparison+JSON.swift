import PathEvaluation
public import PathReport
import PathTelemetry

/// A comparison as JSON; `docs/worlds.md` describes it.
extension Comparison {
    public var json: JSONValue {
        .object([
            ("baseline", .string(contenders[baseline].name)),
            ("confidence", .number(confidence)),
            ("seeds", .array(seeds.map { .string("\($0)") })),
            ("worlds", .array(worlds.indices.map(json(world:)))),
            ("overall", .array(contenders.indices.map(json(overall:)))),
        ])
    }

    private func json(world: Int) -> JSONValue {
        let specification = worlds[world]
        return .object([
            ("name", .string(specification.name)),
            ("seconds", .number(specification.duration.seconds)),
            ("links", .array(specification.links.map { .string($0.name) })),
            (
                "policies",
                .array(
                    contenders.indices.map { json(world: world, contender: $0) })
            ),
        ])
    }

    private func json(world: Int, contender: Int) -> JSONValue {
        let runs = runs(world: world, contender: contender)
        return .object([
            ("policy", .string(contenders[contender].name)),
            (
                "workloads",
                .array(
                    worlds[world].workloads.indices.map {
                        json(world: world, contender: contender, workload: $0)
                    })
            ),
            ("runs", .array(runs.map(json(run:)))),
        ])
    }

    private func json(world: Int, contender: Int, workload: Int) -> JSONValue {
        let metrics =
            runs(world: world, contender: contender).first?.workloads[workload].values
            .map(\.metric) ?? []
        var members: [(key: String, value: JSONValue)] = [
            ("name", .string(worlds[world].workloads[workload].name))
        ]
        for metric in metrics {
            let cell = cell(
                world: world, contender: contender, workload: workload, metric: metric)
            members.append(
                (
                    metric.rawValue,
                    .object([
                        ("value", .number(cell.value)),
                        ("difference", cell.difference.map { .number($0) } ?? .null),
                        ("low", cell.interval.map { .number($0.low) } ?? .null),
                        ("high", cell.interval.map { .number($0.high) } ?? .null),
                    ])
                ))
        }
        return .object(members)
    }

    private func json(run: RunFigures) -> JSONValue {
        .object([
            ("seed", .string("\(run.seed)")),
            ("fingerprint", .string(StableHash.text(run.fingerprint))),
            ("link_bytes", .array(run.linkBytes.map { .int(Int64($0)) })),
            ("payload_bytes", .int(Int64(run.payloadBytes))),
            ("copied_bytes", .int(Int64(run.copiedBytes))),
            ("decisions", .int(Int64(run.decisions))),
            ("forced_decisions", .int(Int64(run.forcedDecisions))),
            ("failovers", .int(Int64(run.failovers))),
            ("demotions", .int(Int64(run.demotions))),
            (
                "decisions_until_demotion",
                run.firstDemotion.map { .int(Int64(clamping: $0)) } ?? .null
            ),
            ("ended_by", run.endedBy.map { .string($0) } ?? .null),
            (
                "workloads",
                .array(
                    run.workloads.map { workload in
                        .object(
                            workload.values.map { ($0.metric.rawValue, .number($0.value)) })
                    })
            ),
        ])
    }

    private func json(overall contender: Int) -> JSONValue {
        let all = overall(contender: contender)
        return .object([
            ("policy", .string(contenders[contender].name)),
            ("difference", .number(all.difference)),
            ("low", all.interval.map { .number($0.low) } ?? .null),
            ("high", all.interval.map { .number($0.high) } ?? .null),
            ("worst", .number(all.worst)),
            ("worst_place", .string(all.worstPlace)),
            ("near_best", .number(all.nearBest)),
            ("count", .int(Int64(all.count))),
        ])
    }
}
