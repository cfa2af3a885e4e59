/// DR for logs of a policy that learned while it wrote them: its exploration fades, so that late
/// decisions have large weights and the mean is no longer normal. Decisions count less the more
/// their scores vary, by what was known before them.
extension EstimatorDescriptor {
    /// Its intervals cover best where exploration fades.
    static let adaptiveStable = EstimatorDescriptor(
        "adr-stable", "dr for logs of learning policies: decisions of equal variance",
        source: "Zhan 2021", needs: .model, number: .fadingVariance,
        .adaptive(.stable))

    /// It has the least variance, with a little bias.
    static let adaptiveLeast = EstimatorDescriptor(
        "adr-min", "the same with the least variance",
        source: "Zhan 2021", needs: .model, number: .fadingVariance,
        .adaptive(.least))
}

extension EstimatorNumber {
    static let fadingVariance = EstimatorNumber(
        "the decisions after which an earlier variance counts half", example: "500",
        range: 1...1e9, grid: [], choice: .free)
}
