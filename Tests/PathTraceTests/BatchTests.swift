import PathLearning
import PathTelemetry
import PathTrace
import Testing

@Suite struct BatchTests {
    @Test func batchesHoldWhatSingleDecisionsHold() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 700)
        let reader = try TraceReader(path: scratch.file())
        var singles: [[UInt64]] = []
        try reader.forEachDecision {
            singles.append([UInt64($0.session.rawValue)] + image($0.record) + image($0.outcome))
        }
        #expect(singles.count == 1400)
        var cursor = try reader.batches(columns: .all)
        var batch = DecisionBatch()
        var decision = LoggedDecision.empty
        var read = 0
        while try cursor.next(into: &batch) {
            for index in 0..<batch.count {
                batch.fill(&decision, from: index)
                #expect(
                    [UInt64(decision.session.rawValue)] + image(decision.record)
                        + image(decision.outcome) == singles[read])
                let record = decision.record
                #expect(batch.actions[index] == record.decision.action)
                #expect(batch.propensities[index] == record.decision.propensity)
                let chosen = Int(batch.chosenCandidates[index])
                #expect(batch.candidatePaths[chosen] == record.decision.action.first)
                #expect(
                    batch.chosenPredictions[index] == batch.candidatePredictions[chosen])
                for feature in 0..<FeatureVector.count {
                    let value = batch.chosenFeatures[index * FeatureVector.count + feature]
                    #expect(value == batch.candidates[chosen].features[feature])
                    #expect(
                        value == batch.candidateFeatures[chosen * FeatureVector.count + feature])
                }
                read += 1
            }
        }
        #expect(read == 1400)
        #expect(batch.count == 0)
    }

    @Test(
        arguments: [
            [], [.outcomes], [.chosenFeatures], [.candidateFeatures], [.candidates],
            [.distributions], [.outcomes, .chosenFeatures],
        ] as [DecisionColumns])
    func onlyWhatIsAskedForIsRead(columns: DecisionColumns) throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 300)
        let reader = try TraceReader(path: scratch.file())
        var all = DecisionBatch()
        var some = DecisionBatch()
        var everything = try reader.batches(of: SessionID(rawValue: 2), columns: .all)
        var cursor = try reader.batches(of: SessionID(rawValue: 2), columns: columns)
        var read = 0
        while try cursor.next(into: &some) {
            #expect(try everything.next(into: &all))
            read += some.count
            #expect(some.session.rawValue == 2)
            #expect(some.numbers == all.numbers)
            #expect(some.times == all.times)
            #expect(some.actions == all.actions)
            #expect(some.propensities == all.propensities)
            #expect(some.chosenCandidates == all.chosenCandidates)
            #expect(some.candidateStarts == all.candidateStarts)
            #expect(some.hasOutcome == (columns.contains(.outcomes) ? all.hasOutcome : []))
            #expect(some.closedTimes == (columns.contains(.outcomes) ? all.closedTimes : []))
            #expect(
                some.chosenFeatures
                    == (columns.contains(.chosenFeatures) ? all.chosenFeatures : []))
            #expect(
                some.candidateFeatures
                    == (columns.contains(.candidateFeatures) ? all.candidateFeatures : []))
            #expect(
                some.candidates.count
                    == (columns.contains(.candidates) ? all.candidates.count : 0))
            #expect(
                some.probabilities
                    == (columns.contains(.distributions) ? all.probabilities : []))
        }
        #expect(read == 300)
    }
}
