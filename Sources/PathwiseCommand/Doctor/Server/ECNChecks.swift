import PathNetwork

/// Whether marks of congestion (ECN, RFC 3168) reach a server, and what becomes of them: the cases of
/// RFC 9000, section 13.4.2.
enum ECNChecks {
    static func findings(_ path: ProbedPath) -> [Finding] {
        guard !path.answering.isEmpty else { return [] }
        guard path.answering.contains(where: { $0.report != nil }) else {
            return [
                Finding(
                    .ecn, .note, path.name,
                    "not checked: the server is older and does not tell the marks that it sees")
            ]
        }
        guard let way = path.ways.first(where: { $0.capable.sent > 0 }) else {
            return [
                Finding(
                    .ecn, .note, path.name,
                    "not checked: the server's system does not tell it marks")
            ]
        }
        return [finding(way.capable, way.congested, path.name)]
    }

    /// - Parameters:
    ///   - capable: how datagrams with ECT(0) arrived.
    ///   - congested: how those with CE arrived.
    ///   - name: of the path.
    static func finding(
        _ capable: ReachProbe.MarkCount, _ congested: ReachProbe.MarkCount, _ name: String
    ) -> Finding {
        let counts = "\(text(capable, "ECT(0)")); \(text(congested, "CE"))"
        func note(_ what: String) -> Finding {
            Finding(.ecn, .note, name, "\(what): \(counts)")
        }
        if capable.arrived == 0, congested.arrived == 0 {
            return note("datagrams with ECN marks do not arrive")
        }
        if capable.seen[0] > 0 || congested.seen[0] > 0 {
            return note("ECN marks are cleared on the way (bleached)")
        }
        if capable.seen[1] > 0 || congested.seen[1] > 0 || congested.seen[2] > 0 {
            return note("ECN marks are changed on the way")
        }
        if capable.arrived == 0 || congested.arrived == 0 {
            return note("datagrams with one of the ECN marks do not arrive")
        }
        return Finding(.ecn, .ok, name, "ECN marks arrive: \(counts)")
    }

    private static func text(_ count: ReachProbe.MarkCount, _ mark: String) -> String {
        let names = ["no mark", "ECT(1)", "ECT(0)", "CE"]
        let seen = count.seen.indices.filter { count.seen[$0] > 0 }
            .map { "\(count.seen[$0]) as \(names[$0])" }
        let list = seen.isEmpty ? "none" : seen.joined(separator: ", ")
        return "of \(count.sent) with \(mark) arrived \(list)"
    }
}
