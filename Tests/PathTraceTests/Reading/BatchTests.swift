import Testing

@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace

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
        // The end stays the end.
        #expect(try !cursor.next(into: &batch))
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

    /// Columns of a block that change always, sometimes and never, in every mixture, against the
    /// recorded candidates.
    @Test(arguments: 0..<6)
    func columnsThatChangeSeldomComeBackBitForBit(seed: Int) throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: UInt64(seed) + 40)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var records: [DecisionRecord] = []
        var record = generator.decision(number: 0, time: .zero, candidates: 4)
        // How often each feature changes: never, always or one time in five.
        let habits = (0..<FeatureVector.count).map { _ in generator.below(3) }
        for number in 0..<700 {
            let all = record.candidates
            if seed > 1, number % 7 == 3 {
                // Another set of candidates; with the seeds 4 and 5 at times none.
                record = generator.decision(
                    number: 0, time: .zero, candidates: generator.below(seed) + (seed < 4 ? 1 : 0))
            }
            for index in 0..<record.candidates.count {
                for (feature, habit) in habits.enumerated()
                where habit == 1 || habit == 2 && generator.below(5) == 0 {
                    record.candidates[index].features[feature] = generator.anyDouble()
                }
                if generator.below(3) == 0 { record.candidates[index].predictedDelivery = 0.5 }
            }
            if record.candidates.count == 4 || seed < 2 {
                record.decision.chosen = generator.below(record.decision.distribution.count)
            }
            record.number = UInt64(number)
            ring.record(record, session: session)
            records.append(record)
            if seed > 1, record.candidates.count != 4 { record.candidates = all }
        }
        try writer.close()
        let reader = try TraceReader(path: scratch.file())
        try compare(reader, [.chosenFeatures], records)
        try compare(reader, [.candidateFeatures], records)
        try compare(reader, [.chosenFeatures, .candidateFeatures], records)
        try compare(reader, [.chosenFeatures, .candidates], records)
    }

    private func compare(
        _ reader: TraceReader, _ columns: DecisionColumns, _ records: [DecisionRecord]
    ) throws {
        let width = FeatureVector.count
        var cursor = try reader.batches(columns: columns)
        var batch = DecisionBatch()
        var read = 0
        func bits(_ candidate: Candidate?) -> [UInt64] {
            guard let candidate else {
                return [UInt64](repeating: 0, count: width) + [Double.nan.bitPattern]
            }
            return candidate.features.indices.map { candidate.features[$0].bitPattern }
                + [candidate.predictedDelivery.bitPattern]
        }
        while try cursor.next(into: &batch) {
            for index in 0..<batch.count {
                let record = records[read]
                read += 1
                #expect(batch.actions[index] == record.decision.action)
                if columns.contains(.chosenFeatures) {
                    let action = record.decision.action
                    let place =
                        action.count == 1
                        ? action.first.flatMap { record.candidates.index(of: $0) } : nil
                    let found =
                        batch.chosenFeatures[index * width..<(index + 1) * width]
                        .map(\.bitPattern) + [batch.chosenPredictions[index].bitPattern]
                    #expect(found == bits(place.map { record.candidates[$0] }))
                }
                let first = Int(batch.candidateStarts[index])
                for place in 0..<record.candidates.count {
                    let row = first + place
                    let truth = bits(record.candidates[place])
                    if columns.contains(.candidateFeatures) {
                        #expect(
                            batch.candidateFeatures[row * width..<(row + 1) * width]
                                .map(\.bitPattern)
                                + [batch.candidatePredictions[row].bitPattern] == truth)
                    }
                    if columns.contains(.candidates) {
                        #expect(bits(batch.candidates[row]) == truth)
                    }
                }
            }
        }
        #expect(read == records.count)
    }
}
